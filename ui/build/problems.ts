/** What the console needs of the printed pages of `docs/problems`: a row for each problem code. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

export interface ProblemPage {
  readonly title: string
  readonly status: number
  /** The RFC 9457 `type`. */
  readonly type: string
  /** What it means and what to do, in Markdown. */
  readonly text: string
}

const ROW = /^\| \[`([a-z_]+)`\]\(\1\.md\) \|/gm
const PAGE =
  /^# (?<title>.+)\n\n\| \| \|\n\|---\|---\|\n\| code \| `(?<code>[a-z_]+)` \|\n\| status \| (?<status>\d{3}) \|\n\| type \| `(?<type>[^`]+)` \|\n\n(?<text>[\s\S]+?)\n\n\[All problem codes\]\(index\.md\)\n$/

/** The pages of a directory by code, in the order of its index. Throws if a page has another form: it was not printed. */
export function problemsOf(directory: string): Readonly<Record<string, ProblemPage>> {
  const index = readFileSync(resolve(directory, 'index.md'), 'utf8')
  const codes = [...index.matchAll(ROW)].map(([, code]) => code!)
  return Object.fromEntries(
    codes.map((code) => {
      const found = PAGE.exec(readFileSync(resolve(directory, `${code}.md`), 'utf8'))?.groups
      if (found?.['code'] !== code)
        throw new Error(`docs/problems/${code}.md is not as npm run golden prints it.`)
      const { title, status, type, text } = found
      return [code, { title: title!, status: Number(status), type: type!, text: text! }]
    }),
  )
}
