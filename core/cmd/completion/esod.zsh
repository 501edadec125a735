#compdef esod
# Completion of esod for zsh. esod itself knows what may come next.

_esod() {
  local line word rest=:nothing
  local -a found
  for line in ${(f)"$(${words[1]} __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)"}; do
    word=${${line%%$'\t'*}//:/\\:}
    case $line in
      :*) rest=$line ;;
      *$'\t'*) found+=("$word:${line#*$'\t'}") ;;
      *) found+=("$word") ;;
    esac
  done
  (( $#found )) && _describe esod found
  compset -P '--*='
  case $rest in
    :files) _files ;;
    :folders) _files -/ ;;
  esac
}

if [ "$funcstack[1]" = _esod ]; then
  _esod "$@"
else
  compdef _esod esod
fi
