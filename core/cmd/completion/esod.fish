# Completion of esod for fish. esod itself knows what may come next.

function __esod_complete
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    set -l lines ($words[1] __complete $words[2..-1] $typed 2>/dev/null)
    set -l prefix (string match -r -- '^--?[^=]*=' $typed)
    test -n "$prefix"; or set prefix ''
    for line in $lines
        switch $line
            case ':files'
                printf '%s\n' $prefix(__fish_complete_path (string replace -r -- '^--?[^=]*=' '' $typed))
            case ':folders'
                printf '%s\n' $prefix(__fish_complete_directories (string replace -r -- '^--?[^=]*=' '' $typed))
            case ':*'
            case '*'
                printf '%s\n' $line
        end
    end
end

complete -c esod -f -a '(__esod_complete)'
