import { PROBLEMS, problemType, type RefusalCode } from '../../base/refusal.ts'

const CODES = Object.keys(PROBLEMS) as RefusalCode[]

/** The pages of docs/problems: one per code, and the list of them. Names are paths below docs/problems. */
export function problemPages(): ReadonlyMap<string, string> {
  const pages = CODES.map((code): [string, string] => [`${code}.md`, toPage(code)])
  return new Map([['index.md', toIndex()], ...pages])
}

function toPage(code: RefusalCode): string {
  const { status, title, help } = PROBLEMS[code]
  return `# ${title}

| | |
|---|---|
| code | \`${code}\` |
| status | ${status} |
| type | \`${problemType(code)}\` |

${help}

[All problem codes](index.md)
`
}

function toIndex(): string {
  const rows = CODES.map((code) => {
    const { status, title } = PROBLEMS[code]
    return `| [\`${code}\`](${code}.md) | ${status} | ${title} |`
  })
  return `# Problem codes

Every failure is an \`application/problem+json\` object (RFC 9457) with \`type\`, \`title\`, \`status\`, \`detail\`, \`code\`,
\`request_id\` and \`errors\`. The codes are a closed list; \`detail\` says what happened this time, and \`errors\` points at
each fault of the input (RFC 6901).

| code | status | title |
|---|---|---|
${rows.join('\n')}
`
}
