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

Startup settings of the process. Set each one as an environment variable or as a flag of \`postern up\`:

\`\`\`sh
POSTERN_LISTEN=:8080 postern up --control-listen 127.0.0.1:8081
\`\`\`

A flag takes precedence over the environment, and the environment over the default. An unknown name is an error at start. An
empty variable counts as unset, except \`${PREFIX}EXPOSE\`. \`postern settings list\` shows the settings of a running process
without secrets, and needs the permission \`settings:read\`.

| variable | flag | default | meaning |
|---|---|---|---|
${rows.join('\n')}

The command line reads four more variables: \`${PREFIX}URL\` (URL of the instance), \`${PREFIX}TOKEN\` (access token),
\`${PREFIX}CONTEXT\` (selected context) and \`${PREFIX}CONFIG\` (file with the contexts): see [the command line](cli.md).

## Not available yet

These names are reserved. Setting one of them is an error at start, so that you do not rely on it.

| variable | for |
|---|---|
${missing.join('\n')}
`
}
