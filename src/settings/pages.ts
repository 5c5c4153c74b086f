import { flagOf, NOT_AVAILABLE, PREFIX, SETTING_NAMES, TEXTS } from './schema.ts'

/** One line per setting, for the help of `postern up`. */
export function settingsHelp(): string {
  const lines = SETTING_NAMES.map((name) => {
    const { shown, text } = TEXTS[name]
    return `  --${flagOf(name)} <value>\n      ${inTerminal(`${text} (default: ${shown})`)}`
  })
  return `Settings (flag, or ${PREFIX}<NAME> in the environment):\n${lines.join('\n')}\n`
}

/** Markdown of the reference page as text: a link leads to its page below docs. */
function inTerminal(text: string): string {
  return text.replaceAll('`', '').replace(/\[[^\]]*\]\(([^)#]*)[^)]*\)/g, 'docs/$1')
}

/** docs/settings.md. */
export function settingsReference(): string {
  const rows = SETTING_NAMES.map((name) => {
    const { shown, text } = TEXTS[name]
    return `| \`${PREFIX}${name}\` | \`--${flagOf(name)}\` | ${shown} | ${text} |`
  })
  const missing = Object.entries(NOT_AVAILABLE).map(([name, what]) => `| \`${PREFIX}${name}\` | ${what} |`)
  return `# Settings

What the process needs to know before it starts. Each is an environment variable or a flag of \`postern up\`; a flag
wins over the environment, the environment over the default. A name that is not in this list refuses start. An empty
variable counts as unset, except \`${PREFIX}EXPOSE\`. \`postern settings list\` shows what a running process was given, without
secrets, to who has the permission \`settings:read\`.

| variable | flag | default | meaning |
|---|---|---|---|
${rows.join('\n')}

The command line client reads four more: \`${PREFIX}URL\` (where it calls), \`${PREFIX}TOKEN\` (what it shows there),
\`${PREFIX}CONTEXT\` (the context that is meant) and \`${PREFIX}CONFIG\` (the file with the contexts): see [the command line](cli.md).

## Not available yet

These names are reserved. Setting one refuses start, so that nobody believes it to be in force.

| variable | for |
|---|---|
${missing.join('\n')}
`
}
