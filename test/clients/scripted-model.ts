/** A stand-in for the Messages API of Anthropic: a model that calls one tool, and then is done. */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface ScriptedModel extends AsyncDisposable {
  readonly url: string
  /** Results of tools, as JSON, that the application has sent. */
  readonly results: string[]
}

/** @param tool name, as the application has it */
export async function startScriptedModel(tool: string): Promise<ScriptedModel> {
  const results: string[] = []
  const server = createServer(async (request, response) => {
    const text = (await request.toArray()).join('')
    if (request.method !== 'POST' || !/^\/v1\/messages(\?|$)/.test(request.url ?? ''))
      return void response.writeHead(404).end()
    const { messages = [], tools = [] } = JSON.parse(text) as {
      messages?: { content: string | { type: string }[] }[]
      tools?: { name: string }[]
    }
    const came = messages
      .flatMap(({ content }) => (typeof content === 'string' ? [] : content))
      .filter(({ type }) => type === 'tool_result')
    results.push(...came.map((one) => JSON.stringify(one)))
    const isCall = came.length === 0 && tools.some(({ name }) => name === tool)
    say(
      response,
      isCall ? { type: 'tool_use', id: 'toolu_1', name: tool, input: {} } : { type: 'text', text: '' },
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    results,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** One message as server-sent events. */
function say(
  response: ServerResponse,
  block: { readonly type: 'tool_use' | 'text'; readonly [member: string]: unknown },
): void {
  const usage = { input_tokens: 1, output_tokens: 1 }
  const message = {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'scripted',
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage,
  }
  const isCall = block.type === 'tool_use'
  const delta = isCall
    ? { type: 'input_json_delta', partial_json: '{}' }
    : { type: 'text_delta', text: 'Done.' }
  const events = [
    { type: 'message_start', message },
    { type: 'content_block_start', index: 0, content_block: block },
    { type: 'content_block_delta', index: 0, delta },
    { type: 'content_block_stop', index: 0 },
    {
      type: 'message_delta',
      delta: { stop_reason: isCall ? 'tool_use' : 'end_turn', stop_sequence: null },
      usage,
    },
    { type: 'message_stop' },
  ]
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.end(events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join(''))
}
