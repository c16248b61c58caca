# SPDX-License-Identifier: MIT
# bash completion for lastack: commands and options come from the program's own --help.

_lastack() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local program=${COMP_WORDS[0]} command=${COMP_WORDS[1]} word
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W "$("$program" --help 2>/dev/null |
			sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p') --help --version" -- "$current")
		return
	fi
	# An option with words to choose from says so in its own help line: --proof written|acked|consumed
	if [[ $previous == --* ]]; then
		word=$("$program" "$command" --help 2>/dev/null |
			sed -n "s/^.*$previous[ =]\([a-z-]*|[a-z|-]*\).*/\1/p" | head -n 1)
		if [[ -n $word ]]; then
			mapfile -t COMPREPLY < <(compgen -W "${word//|/ }" -- "$current")
			return
		fi
		case $previous in
		--file | --follow | --report | --into | --into-each | --port-file)
			mapfile -t COMPREPLY < <(compgen -f -- "$current")
			return
			;;
		esac
	fi
	case $current in
	-*)
		mapfile -t COMPREPLY < <(compgen -W "$("$program" "$command" --help 2>/dev/null |
			grep -oE -- '^ .*--[a-z][a-z-]*' | grep -oE -- '--[a-z][a-z-]*' | sort -u)" -- "$current")
		;;
	*)
		mapfile -t COMPREPLY < <(compgen -W "tcp:// lines://" -- "$current")
		compopt -o nospace
		;;
	esac
} && complete -F _lastack lastack
