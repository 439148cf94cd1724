"""``edged completion``: what a shell does when Tab is pressed. It asks this program, in click's own way.

The scripts are ours, for click's cut a text at its first comma (fish), leave a name with a space in two words
(bash), and let what goes wrong onto the line that is being typed.
"""

from __future__ import annotations

from typing import Final

import click

from edged.cli.options import command as make

_BASH: Final = """\
# edged: completion for bash. Asked for at the first Tab after "edged".
_edged() {
	local kind value quoted asked word before="" typed=()
	# A name with a colon is several words to bash, and it replaces the last of them only.
	for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
		if [[ $word == :* || $before == *: ]]; then typed[-1]+=$word; else typed+=("$word"); fi
		before=$word
	done
	word=${typed[-1]}
	[[ $word == *:* && $COMP_WORDBREAKS == *:* ]] && word=${word%"${word##*:}"} || word=""
	asked=(COMP_WORDS="${typed[*]}" COMP_CWORD="$((${#typed[@]} - 1))" _EDGED_COMPLETE=bash_complete)
	COMPREPLY=()
	while IFS=, read -r kind value; do
		case $kind in
		plain) printf -v quoted %q "${value#"$word"}" && COMPREPLY+=("$quoted") ;;
		file) compopt -o default ;;
		dir) compopt -o dirnames ;;
		esac
	done < <(env "${asked[@]}" "$1" 2>/dev/null)
	# A channel's name is only begun: its number follows.
	[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace
}
complete -o nosort -F _edged edged
"""

_ZSH: Final = """\
#compdef edged
# edged: completion for zsh. An answer is three lines: its kind, itself, and what it is ("_": not said).
_edged() {
	local -a asked answer told plain begun
	local kind value text
	asked=(COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT - 1)) _EDGED_COMPLETE=zsh_complete)
	answer=("${(@f)$(env $asked $words[1] 2>/dev/null)}")
	for kind value text in $answer; do
		case $kind in
		file) _files ;;
		dir) _files -/ ;;
		plain)
			if [[ $value = *= ]]; then begun+=("$value")
			elif [[ $text = _ ]]; then plain+=("$value")
			else told+=("${value//:/\\:}:$text"); fi
			;;
		esac
	done
	(( ! $#told )) || _describe -V edged told -U
	(( ! $#plain )) || compadd -U -V edged -a plain
	(( ! $#begun )) || compadd -U -V edged -S "" -a begun
}
if [[ $zsh_eval_context[-1] = loadautofunc ]]; then
	_edged "$@"
else
	compdef _edged edged
fi
"""

_FISH: Final = """\
# edged: completion for fish.
function __edged_complete
    set -l typed (commandline --cut-at-cursor --current-process)
    set -l word (commandline --cut-at-cursor --current-token)
    env _EDGED_COMPLETE=fish_complete COMP_WORDS="$typed" COMP_CWORD="$word" edged 2>/dev/null |
        while read --delimiter , kind value
            switch $kind
                case plain
                    echo $value
                case file
                    __fish_complete_path $word
                case dir
                    __fish_complete_directories $word
            end
        end
end
complete --command edged --no-files --keep-order --arguments '(__edged_complete)'
"""

SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


@make(
    "completion",
    ("edged completion bash > ~/.local/share/bash-completion/completions/edged", "bash"),
    ("edged completion zsh > ~/.zfunc/_edged", "zsh, with ~/.zfunc in fpath"),
    ("edged completion fish > ~/.config/fish/completions/edged.fish", "fish"),
)
@click.argument("shell", type=click.Choice(list(SCRIPTS)))
def command(shell: str) -> None:
    """Print the completion script of a shell. ./install.sh puts them where the shells look for them."""
    click.echo(SCRIPTS[shell], nl=False)
