/** Scripts that complete commands in a shell. */

/** A command, and what may follow it. */
export interface Place {
  /** Its names from the program on, such as `collections list`; empty for the program itself. */
  readonly path: readonly string[]
  readonly description: string
  readonly commands: readonly string[]
  readonly flags: readonly Flag[]
  /** Words that its first argument may be. */
  readonly choices: readonly string[]
  /** The resource whose slug its first argument is; null when it is none. */
  readonly slugsOf: string | null
}

interface Flag {
  /** `-o` and `--output`. */
  readonly names: readonly string[]
  readonly takesValue: boolean
  readonly choices: readonly string[]
  readonly slugsOf: string | null
  readonly description: string
}

/** For bash 3.2 and later: a table of the commands as a case, and what finds the place in it. */
function bashScript(places: readonly Place[]): string {
  return `# bash completion for postern
_postern_at() {
  commands='' flags='' values='' words='' slugs=''
  case "$1" in
${places.map(bashPlace).join('\n')}
  *) return 1 ;;
  esac
}

_postern_value() {
  words='' slugs=''
  case "$1" in
${places.flatMap(bashValues).join('\n')}
  esac
}

_postern() {
  local commands flags values words slugs path='' flag='' given=0 word i
  local current="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  _postern_at ''
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    if [[ -n "$flag" ]]; then
      [[ "$word" == '=' ]] || flag=''
    elif [[ "$word" == -* ]]; then
      [[ " $values " == *" $word "* ]] && flag="$word"
    elif [[ " $commands " == *" $word "* ]]; then
      path="\${path:+$path }$word"
      _postern_at "$path"
    else
      given=$((given + 1))
    fi
  done
  [[ "$current" == '=' ]] && current=''
  if [[ -n "$flag" ]]; then
    _postern_value "$path $flag"
  elif [[ "$current" == -* ]]; then
    words="$flags" slugs=''
  elif [[ $given -gt 0 ]]; then
    words='' slugs=''
  else
    words="$commands $words"
  fi
  if [[ -n "$slugs" ]]; then words="$words $(postern complete-slugs "$slugs" 2>/dev/null)"; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}

complete -o default -F _postern postern
`
}

/** For zsh, which has what it takes to run that of bash. */
function zshScript(places: readonly Place[]): string {
  return `#compdef postern
autoload -U +X compinit && compinit
autoload -U +X bashcompinit && bashcompinit
${bashScript(places)}`
}

/** For fish: one rule for each command and flag, by the commands before it. */
function fishScript(places: readonly Place[]): string {
  const lines = places.flatMap((place) => {
    const here = fishCondition(place)
    const description = (name: string): string =>
      places.find(({ path }) => path.join(' ') === [...place.path, name].join(' '))?.description ?? ''
    return [
      ...place.commands.map(
        (name) => `complete -c postern -f -n ${here} -a ${name} -d ${quoted(description(name))}`,
      ),
      ...(place.choices.length > 0
        ? [`complete -c postern -f -n ${here} -a ${quoted(place.choices.join(' '))}`]
        : []),
      ...(place.slugsOf === null
        ? []
        : [`complete -c postern -f -n ${here} -a '(postern complete-slugs ${place.slugsOf} 2>/dev/null)'`]),
      ...place.flags.map((flag) => `complete -c postern -n ${here} ${fishFlag(flag)}`),
    ]
  })
  return `# fish completion for postern\n${lines.join('\n')}\n`
}

function bashPlace({ path, commands, flags, choices, slugsOf }: Place): string {
  const names = flags.flatMap((flag) => flag.names)
  const values = flags.filter(({ takesValue }) => takesValue).flatMap((flag) => flag.names)
  const parts = { commands, flags: names, values, words: choices, slugs: slugsOf === null ? [] : [slugsOf] }
  const set = Object.entries(parts).filter(([, words]) => words.length > 0)
  const text = set.map(([name, words]) => `${name}=${quoted(words.join(' '))}`).join(' ')
  return `  ${quoted(path.join(' '))}) ${text === '' ? ':' : text} ;;`
}

function bashValues({ path, flags }: Place): string[] {
  return flags
    .filter(({ choices, slugsOf }) => choices.length > 0 || slugsOf !== null)
    .map(({ names, choices, slugsOf }) => {
      const places = names.map((name) => quoted(`${path.join(' ')} ${name}`)).join(' | ')
      return `  ${places}) words=${quoted(choices.join(' '))} slugs=${quoted(slugsOf ?? '')} ;;`
    })
}

function fishCondition({ path, commands }: Place): string {
  if (path.length === 0) return '__fish_use_subcommand'
  const seen = path.map((name) => `__fish_seen_subcommand_from ${name}`)
  const rest = commands.length === 0 ? [] : [`not __fish_seen_subcommand_from ${commands.join(' ')}`]
  return quoted([...seen, ...rest].join('; and '))
}

function fishFlag({ names, takesValue, choices, slugsOf, description }: Flag): string {
  const spelt = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
  const values =
    slugsOf !== null
      ? `-x -a '(postern complete-slugs ${slugsOf} 2>/dev/null)'`
      : choices.length > 0
        ? `-x -a ${quoted(choices.join(' '))}`
        : takesValue
          ? '-r'
          : ''
  return [...spelt, values, `-d ${quoted(description)}`].filter((word) => word !== '').join(' ')
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", ' ').replaceAll('\\', ' ')}'`
}

/** The script for each shell. */
export const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const
