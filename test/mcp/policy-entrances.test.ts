/** A policy holds whatever the method: what a call, a get or a read refuses is refused as a completion and a subscription, too. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ERAS, rawClient } from './raw-client.ts'
import { startRecordingOrigin } from './recording-origin.ts'
import { startVirtualMcp } from './virtual-mcp.ts'

const OFFER = {
  prompts: [{ name: 'ask', arguments: [{ name: 'team' }, { name: 'topic' }] }],
  resourceTemplates: [
    { uriTemplate: 'file:///{+path}', name: 'files' },
    { uriTemplate: 'cell:///{table}/{row}', name: 'cells' },
  ],
}
const POLICY = {
  prompts: [
    {
      match: { exact: 'ask' },
      when: 'arguments.topic.startsWith("open")',
      projection: { fixed: { team: 'own' } },
    },
  ],
  resource_templates: [
    { match: { exact: 'file:///{+path}' }, when: 'arguments.uri.startsWith("file:///public/")' },
    { match: { exact: 'cell:///{table}/{row}' }, when: 'arguments.uri.startsWith("cell:///public/")' },
  ],
}
const MEMBERS = { members: [{ origin: 'ori_one', capability_policy: POLICY }] }

test('no spelling of a URI passes the condition of a template, for a read or a subscription', async () => {
  await using origin = await startRecordingOrigin('legacy', OFFER)
  await using desk = await startVirtualMcp({ one: origin.url })
  desk.publish(MEMBERS)
  const client = await rawClient(desk, 'legacy')
  origin.forget()
  for (const uri of [
    'file:///secret/a',
    'file:///public/../secret/a',
    'file:///public/%2e%2e/secret/a',
    'file:///public/..%2fsecret/a',
    'file:///public/.\t./secret/a',
    'file:///public/.%09./secret/a',
    'file:///public/%252e%252e/secret/a',
    'file:///public/..\\secret/a',
    'file:///public/..;/secret/a',
    'file:///public/\uff0e\uff0e/secret/a',
    'file:///public/.\u200b./secret/a',
  ])
    for (const method of ['resources/read', 'resources/subscribe']) {
      const { messages } = await client.ask(method, { uri })
      assert.notEqual(messages.at(-1)?.error, undefined, `${method} ${JSON.stringify(uri)}`)
    }
  assert.deepEqual(origin.of('resources/read'), [])
  const { messages } = await client.ask('resources/read', { uri: 'file:///public/a.txt' })
  assert.equal(messages.at(-1)?.error, undefined)
})

for (const era of ERAS)
  test(`no method admits a value that another refuses: ${era}`, async () => {
    await using origin = await startRecordingOrigin(era, OFFER)
    await using desk = await startVirtualMcp({ one: origin.url })
    desk.publish(MEMBERS)
    const client = await rawClient(desk, era)
    const isRefused = async (method: string, params: object): Promise<boolean> => {
      const { messages } = await client.ask(method, params as Readonly<Record<string, unknown>>)
      return messages.at(-1)?.error !== undefined
    }
    const part = fc.constantFrom(
      'public',
      'secret',
      '..',
      '.',
      '%2e%2e',
      'a',
      '..%2f',
      'open',
      '\t',
      '..;',
      'x y',
    )
    const text = fc.array(part, { maxLength: 4 }).map((parts) => parts.join('/'))
    await fc.assert(
      fc.asyncProperty(text, text, text, async (first, second, third) => {
        origin.forget()
        const file = {
          ref: { type: 'ref/resource', uri: 'file:///{+path}' },
          argument: { name: 'path', value: first },
        }
        // The URI that the template makes of the value (RFC 6570 section 3.2.3)
        const uri = `file:///${first.replaceAll(' ', '%20')}`
        if (await isRefused('resources/read', { uri }))
          assert.ok(await isRefused('completion/complete', file), JSON.stringify(first))
        const topic = { topic: second }
        const ref = { type: 'ref/prompt', name: 'ask' }
        if (await isRefused('prompts/get', { name: 'ask', arguments: topic })) {
          assert.ok(
            await isRefused('completion/complete', { ref, argument: { name: 'topic', value: second } }),
          )
          const context = { arguments: topic }
          assert.ok(
            await isRefused('completion/complete', { ref, argument: { name: 'other', value: '' }, context }),
          )
        }
        const given = { team: third, topic: 'open' }
        assert.ok(await isRefused('prompts/get', { name: 'ask', arguments: given }))
        const argument = { name: 'topic', value: 'open' }
        assert.ok(await isRefused('completion/complete', { ref, argument, context: { arguments: given } }))
        const told = { arguments: given }
        const closed = {
          ref,
          argument: { name: 'team', value: third },
          context: { arguments: { topic: 'open' } },
        }
        assert.ok(await isRefused('completion/complete', closed))
        for (const { params = {} } of origin.of('completion/complete')) {
          const { ref: asked, context } = params as { ref: { type: string }; context?: typeof told }
          if (asked.type === 'ref/prompt') assert.equal(context?.arguments.team, 'own')
        }
      }),
      { numRuns: 60 },
    )
    const half = {
      ref: { type: 'ref/resource', uri: 'cell:///{table}/{row}' },
      argument: { name: 'row', value: '1' },
    }
    assert.ok(await isRefused('completion/complete', half))
    assert.ok(
      await isRefused('completion/complete', { ...half, context: { arguments: { table: 'secret' } } }),
    )
    assert.equal(
      await isRefused('completion/complete', { ...half, context: { arguments: { table: 'public' } } }),
      false,
    )
  })
