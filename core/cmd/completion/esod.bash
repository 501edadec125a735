# Completion of esod for bash. esod itself knows what may come next.

_esod() {
  local cur words=() i word line rest=:nothing
  # Bash parts words at "=" and ":", which belong to ours.
  for ((i = 1; i <= COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [[ $word == [=:]* || ${COMP_WORDS[i - 1]} == [=:] ]] && ((i > 1 && ${#words[@]} > 0)); then
      words[${#words[@]} - 1]+=$word
    else
      words+=("$word")
    fi
  done
  cur=${words[${#words[@]} - 1]}
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :*) rest=$line ;;
      *) COMPREPLY+=("${line%%$'\t'*}") ;;
    esac
  done < <("${COMP_WORDS[0]}" __complete "${words[@]}" 2>/dev/null)
  # What stands in front of "=" stays where it is.
  if [[ $cur == *=* ]]; then
    COMPREPLY=("${COMPREPLY[@]#"${cur%%=*}="}")
    cur=${cur#*=}
  fi
  case $rest in
    :files) compopt -o filenames && while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$cur") ;;
    :folders) compopt -o filenames && while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -d -- "$cur") ;;
  esac
}
complete -F _esod esod
