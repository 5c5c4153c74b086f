/** Opening and saving a resource changes nothing but what was edited. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { JsonObject } from '../../ui/build/document.ts'
import { fieldsOf } from '../../ui/src/schema/fields.ts'
import { writableMembers } from '../../ui/src/schema/value.ts'
import { startTestServer, type TestServer } from '../scenarios/server.ts'
import { KINDS, type Made, makeFull, plainValues, SCHEMAS } from '../support/sample/every-kind.ts'
import { launch, SKIPPED, signIn, visitor } from './chromium.ts'
import { addPeople } from './start-console.ts'

let server: TestServer
before(async () => {
  server = await startTestServer({ workers: 1 })
})
after(async () => {
  await server?.stop()
})

/** What an edit form starts with: of the resource, the members that the form has. */
async function startOf({ kind, id }: Made): Promise<JsonObject> {
  const { actions, $defs } = SCHEMAS[kind]!
  const names = fieldsOf(actions['put']!.input, $defs).map(({ name }) => name)
  const { status, text, json } = await server.manage('GET', `/${kind}/${id}`)
  assert.equal(status, 200, text)
  return writableMembers(
    Object.fromEntries(
      Object.entries(json).filter(([name]) => name !== 'id' && names.includes(name)),
    ) as JsonObject,
  )
}

for (const isFull of [false, true])
  test(`a resource of every kind that is opened and saved does not change, ${isFull ? 'with all members that it takes' : 'with the least members'}`, async () => {
    const set: Record<string, number> = {}
    const made: Made[] = []
    const faults: string[] = []
    for (const kind of KINDS) {
      const one = await makeFull(server, kind, isFull ? plainValues : null)
      made.unshift(one)
      set[kind] = one.set.length
      const start = await startOf(one)
      const { status, text, json } = await server.manage('PUT', `/${kind}/${one.id}`, {
        ...start,
        dry_run: true,
      })
      if (status !== 200 || json.diff.length > 0) faults.push(`${kind} ${text}`)
    }
    for (const { kind, id } of made) {
      const confirm = id.split(':').at(-1)
      const gone = await server.manage('DELETE', `/${kind}/${id}`, { confirm })
      assert.ok(gone.status < 300, gone.text)
    }
    assert.deepEqual(faults, [])
    if (!isFull) return
    const counts = Object.values(set)
    assert.ok(Math.min(...counts) > 0 && counts.reduce((sum, one) => sum + one) > 150, JSON.stringify(set))
  })

suite('edit forms in a browser', { skip: SKIPPED }, () => {
  test('who edits one member of a resource of any kind, with all members that it takes, changes no other', async () => {
    const { controlUrl: origin, origin: other } = server.running
    await addPeople(server)
    const browser = await launch()
    try {
      await using visit = await visitor(browser, [origin, other])
      await signIn(visit.page, origin, 'ann')
      for (const kind of KINDS) {
        const { id } = await makeFull(server, kind, plainValues)
        // A tab with changes that are not saved does not go elsewhere
        const page = await visit.context.newPage()
        await page.goto(`${origin}/console/${kind}/${id}?tab=edit`)
        await page
          .getByLabel(/^Name\b/)
          .first()
          .fill(`Edited ${kind}`)
        const asked = page.waitForResponse((one) => /PATCH|PUT/.test(one.request().method()))
        await page.getByRole('button', { name: 'Review the change' }).click()
        const answer = await asked
        const { diff } = (await answer.json()) as { readonly diff?: readonly { readonly path: string }[] }
        assert.deepEqual(
          diff?.map(({ path }) => path),
          ['/name'],
          `${kind}: ${answer.request().postData()}`,
        )
        await page.close()
      }
    } finally {
      await browser.close()
    }
  })
})
