# SPDX-License-Identifier: MIT
# bash completion for lastack: commands and options come from the program's own --help.

# What an option of a command takes, from its line in the help: "a|b|c", "FILE", "TIME", ... or nothing.
_lastack_takes() {
	"$1" "$2" --help 2>/dev/null | awk -v wanted="$3" '
		/^ +-/ {
			option = $1 ~ /,$/ ? $2 : $1
			split(option, part, "=")
			if (wanted == part[1] || wanted "," == $1) {
				print part[2]
				exit
			}
		}'
}

# Names that are not in the help: of states as ss and netstat have them, of columns, of verdicts as the doctor
# lists them.
_lastack_names() {
	local states="established syn-sent syn-recv fin-wait-1 fin-wait-2 time-wait closed close-wait last-ack listen closing
		bound" keys="state age recv-q send-q local remote pid comm"
	case $2 in
	--state)
		# shellcheck disable=SC2046,SC2086 # words
		echo $states all connected synchronized fin-wait $(printf 'all-but-%s ' $states)
		;;
	--columns)
		echo state recv-q send-q local remote age age-s age-is timer namespace container cgroup pid comm uid inode \
			cookie sent acked received last-sent last-received last-ack rtt retransmits memory owners
		;;
	--sort)
		# shellcheck disable=SC2046,SC2086 # words
		echo $keys $(printf -- '-%s ' $keys)
		;;
	*) "$1" doctor --list-verdicts 2>/dev/null | sed -n 's/^\([a-z][a-z0-9-]*\).*/\1/p' ;;
	esac
}

# The same for a list: what stands before the last comma is kept.
_lastack_listed() {
	local before=
	[[ $3 == *,* ]] && before=${3%,*},
	compgen -W "$(_lastack_names "$1" "$2")" -P "$before" -- "${3##*,}"
}

_lastack() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local program=${COMP_WORDS[0]} command=${COMP_WORDS[1]} takes
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W "$("$program" --help 2>/dev/null |
			sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p') --help --version" -- "$current")
		return
	fi
	# readline takes --name=value apart: three words.
	[[ $current == = ]] && current=
	[[ $previous == = ]] && previous=${COMP_WORDS[COMP_CWORD - 2]}
	if [[ $previous == -* ]]; then
		takes=$(_lastack_takes "$program" "$command" "$previous")
		case $previous in
		--state | --columns | --sort | --verdict | --explain)
			mapfile -t COMPREPLY < <(_lastack_listed "$program" "$previous" "$current")
			return
			;;
		esac
		case $takes in
		*\|*) mapfile -t COMPREPLY < <(compgen -W "${takes//|/ }" -- "$current") && return ;;
		DIR) mapfile -t COMPREPLY < <(compgen -d -- "$current") && return ;;
		FILE | PREFIX | PATH) mapfile -t COMPREPLY < <(compgen -f -- "$current") && return ;;
		HOW)
			mapfile -t COMPREPLY < <(compgen -W "graceful abort linger=" -- "$current")
			return
			;;
		?*) return ;;
		esac
	fi
	case $current in
	-*)
		mapfile -t COMPREPLY < <(compgen -W "$("$program" "$command" --help 2>/dev/null |
			grep -oE -- '^ .*--[a-z][a-z-]*' | grep -oE -- '--[a-z][a-z-]*' | sort -u)" -- "$current")
		;;
	*)
		case $command in
		send | receive) ;;
		lab)
			if ((COMP_CWORD == 2)); then
				mapfile -t COMPREPLY < <(compgen -W "list show run" -- "$current")
			elif [[ ${COMP_WORDS[2]} != list ]]; then
				mapfile -t COMPREPLY < <(compgen -W "$("$program" lab list 2>/dev/null |
					sed '1d; s/[[:space:]].*//')" -- "$current")
			fi
			return
			;;
		spool)
			mapfile -t COMPREPLY < <(compgen -W "inspect export" -- "$current"; compgen -f -- "$current")
			return
			;;
		*) return ;;
		esac
		mapfile -t COMPREPLY < <(compgen -W "tcp:// lines:// stomp:// stomps:// tls://" -- "$current")
		compopt -o nospace 2>/dev/null
		;;
	esac
} && complete -F _lastack lastack
