/** The pages about AI applications show what `postern mcp-endpoints list` prints. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { APPLICATION_NAMES, APPLICATIONS, snippetsFor } from '../../src/operations/mcp-endpoints/snippets.ts'

const PAGES = resolve(import.meta.dirname, '../../docs/mcp-clients')
const DESK = { name: 'desk', url: 'https://gateway.example.com/mcp/desk' }

const pageOf = (application: string): string =>
  readFileSync(join(PAGES, `${application.replace('_', '-')}.md`), 'utf8')

/** Values of the blocks of JSON in a page. */
function jsonIn(page: string): unknown[] {
  return [...page.matchAll(/^```json\n([\s\S]*?)^```/gm)].map(([, text]) => JSON.parse(text!))
}

const isSame = (value: unknown, text: string): boolean =>
  text.startsWith('{') && JSON.stringify(value) === JSON.stringify(JSON.parse(text))

for (const application of APPLICATION_NAMES)
  test(`the page of ${APPLICATIONS[application]} has its snippets for people and for agents`, () => {
    const page = pageOf(application)
    const snippets = [false, true].flatMap((isToken) => snippetsFor(DESK, [application], isToken))
    for (const { form, place, text } of snippets) {
      if (form === 'command' && !text.startsWith('curl ')) assert.ok(page.includes(text), text)
      if (form === 'url') assert.ok(page.includes(`\`${text}\``), text)
      // The server of a file stands in one of the blocks
      if (form === 'file')
        assert.ok(page.includes(`\n${text}\n`) || jsonIn(page).some((shown) => isSame(shown, text)), text)
      if (form === 'file' && place !== null) assert.ok(page.includes(`\`${place}\``), place)
    }
  })

test('no page shows a token', () => {
  for (const application of APPLICATION_NAMES) assert.doesNotMatch(pageOf(application), /pst_[a-z]{2}_/)
})
