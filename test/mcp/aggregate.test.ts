/** Several origins behind one virtual MCP: names and URIs that clash, and what becomes of URIs in results. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Fixture, startFixture } from './fixture/fixture.ts'
import { ERAS, type RawAnswer, rawClient } from './raw-client.ts'
import { startVirtualMcp } from './virtual-mcp.ts'

const resultOf = ({ messages, text }: RawAnswer): Readonly<Record<string, unknown>> => {
  const { result } = messages.at(-1)!
  assert.ok(result !== undefined, text)
  return result
}

/** Adds what names resources: a tool with links and an app, a prompt, and a resource with two contents. */
function addResources({ catalogue }: Fixture): void {
  catalogue.putResource({
    listed: { uri: 'ui://clock/page', name: 'page', mimeType: 'text/html;profile=mcp-app' },
    read: () => ({
      contents: [
        { uri: 'ui://clock/page', text: 'page' },
        { uri: 'ui://clock/part', text: 'part' },
      ],
    }),
  })
  catalogue.putTool({
    listed: {
      name: 'links',
      inputSchema: { type: 'object' },
      _meta: { ui: { resourceUri: 'ui://clock/page' } },
    },
    run: () => ({
      content: [
        { type: 'text', text: 'test://static-text' },
        { type: 'resource_link', uri: 'test://static-text', name: 'listed' },
        { type: 'resource_link', uri: 'test://template/7/data', name: 'of a template' },
        { type: 'resource', resource: { uri: 'test://elsewhere', text: 'embedded' } },
      ],
      structuredContent: { uri: 'test://static-text' },
    }),
  })
}

for (const era of ERAS)
  for (const eras of ['modern', 'legacy'] as const)
    test(`${era} client, ${eras} origins: each URI in a result leads back to the origin that gave it`, async () => {
      await using first = await startFixture({ eras })
      await using second = await startFixture({ eras })
      for (const origin of [first, second]) addResources(origin)
      await using desk = await startVirtualMcp({ one: first.url, two: second.url })
      const client = await rawClient(desk, era)

      const { tools } = resultOf(await client.ask('tools/list', {})) as {
        tools: { name: string; _meta?: { ui?: unknown } }[]
      }
      const apps = tools.flatMap(({ name, _meta }) => (_meta?.ui === undefined ? [] : [[name, _meta.ui]]))
      assert.deepEqual(apps, [
        ['links', { resourceUri: 'ui://clock/page' }],
        ['two_links', { resourceUri: 'ui://two~clock/page' }],
      ])

      const linksOf = async (name: string): Promise<unknown> => {
        const { content, structuredContent } = resultOf(
          await client.ask('tools/call', { name, arguments: {} }),
        )
        assert.deepEqual(structuredContent, { uri: 'test://static-text' }, 'data of the tool stays')
        return (content as { text?: string; uri?: string; resource?: { uri: string } }[]).map(
          ({ text, uri, resource }) => uri ?? resource?.uri ?? text,
        )
      }
      assert.deepEqual(await linksOf('links'), [
        ...['test://static-text', 'test://static-text', 'test://template/7/data'],
        'test://one~elsewhere',
      ])
      assert.deepEqual(await linksOf('two_links'), [
        ...['test://static-text', 'test://two~static-text', 'test://two~template/7/data'],
        'test://two~elsewhere',
      ])

      const uriIn = async (name: string): Promise<unknown> => {
        const { messages } = resultOf(
          await client.ask('prompts/get', { name, arguments: { resourceUri: 'test://embedded' } }),
        ) as { messages: { content: { resource?: { uri: string } } }[] }
        return messages.flatMap(({ content }) => content.resource?.uri ?? [])
      }
      assert.deepEqual(await uriIn('test_prompt_with_embedded_resource'), ['test://one~embedded'])
      assert.deepEqual(await uriIn('two_test_prompt_with_embedded_resource'), ['test://two~embedded'])

      const urisOf = async (uri: string): Promise<unknown> => {
        const { contents } = resultOf(await client.ask('resources/read', { uri }))
        return (contents as { uri: string }[]).map((content) => content.uri)
      }
      assert.deepEqual(await urisOf('ui://clock/page'), ['ui://clock/page', 'ui://one~clock/part'])
      assert.deepEqual(await urisOf('ui://two~clock/page'), ['ui://two~clock/page', 'ui://two~clock/part'])
      for (const uri of ['test://template/7/data', 'test://two~template/7/data', 'test://one~static-text'])
        assert.deepEqual(await urisOf(uri), [uri], 'as it was asked for')
      const reads = ({ requests }: Fixture) =>
        requests.flatMap(({ rpcMethod, body }) =>
          rpcMethod === 'resources/read' ? (JSON.parse(body) as { params: { uri: string } }).params.uri : [],
        )
      assert.deepEqual(reads(first), ['ui://clock/page', 'test://template/7/data', 'test://static-text'])
      assert.deepEqual(reads(second), ['ui://clock/page', 'test://template/7/data'])

      const gone = await client.ask('resources/read', { uri: 'test://two~gone' })
      const data = gone.messages.at(-1)!.error?.data as { uri?: string } | undefined
      assert.ok(data?.uri === undefined || data.uri === 'test://two~gone', gone.text)
    })
