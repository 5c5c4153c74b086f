/**
 * The browser that clients are told of by `BROWSER`: it opens the address it is given, signs in as `ann`, allows, and
 * follows the redirect to the client. Clients do not show what it prints: it goes into the file that `BROWSER_LOG` names.
 * It ticks all scopes, or those in the file that `BROWSER_TICKS` names, which it takes away.
 */
import { appendFileSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { consent } from '../support/authorization.ts'
import { Browser } from '../support/browser.ts'

const note = (line: string): void => appendFileSync(process.env['BROWSER_LOG']!, `${line}\n`)

const url = process.argv.at(-1)!
note(`opened ${url}`)
try {
  const page = await consent(new Browser(new URL(url).origin), url, 'ann', takeTicks())
  if (page.text !== '') throw new Error(`it stayed at ${page.url}: ${page.status} ${page.text}`)
  const answer = await fetch(page.url)
  note(`came back to ${page.url.origin}${page.url.pathname}: ${answer.status}`)
} catch (error) {
  note(String(error))
  process.exitCode = 1
}

function takeTicks(): string[] | undefined {
  const file = process.env['BROWSER_TICKS']!
  if (!existsSync(file)) return undefined
  const ticked = readFileSync(file, 'utf8').split(' ')
  rmSync(file)
  return ticked
}
