/** A server with the chat completions of OpenAI, for tests. It is deterministic: what it answers follows from the question. */
import type { ServerResponse } from 'node:http'
import { type Seen, startUpstream, type TestUpstream } from '../scenarios/upstream.ts'

/** The members of a question that tests look at. */
export interface ChatRequest {
  readonly model: string
  readonly messages: readonly { readonly role: string; readonly content: string }[]
  readonly response_format?: { readonly json_schema: { readonly schema: unknown; readonly strict: boolean } }
  readonly [member: string]: unknown
}

export interface TestLlm extends AsyncDisposable {
  /** For `base_url`. */
  readonly baseUrl: string
  readonly upstream: TestUpstream
  /** Questions so far. */
  readonly asked: ChatRequest[]
  /** Replaces the answer; null for {@link echoed}. */
  answer: ((asked: ChatRequest, response: ServerResponse, seen: Seen) => void) | null
  close(): Promise<void>
}

/** Starts it on a free loopback port. It serves `POST /v1/chat/completions` alone. */
export async function startLlm(): Promise<TestLlm> {
  const upstream = await startUpstream()
  const llm: TestLlm = {
    baseUrl: `${upstream.url}/v1`,
    upstream,
    asked: [],
    answer: null,
    close: () => upstream.close(),
    [Symbol.asyncDispose]: () => upstream.close(),
  }
  upstream.answer = (seen, response) => {
    if (seen.method !== 'POST' || seen.url.split('?')[0] !== '/v1/chat/completions') {
      sendError(response, 404, 'no such path')
      return
    }
    const asked = JSON.parse(seen.body) as ChatRequest
    llm.asked.push(asked)
    if (llm.answer === null) send(response, echoed(asked))
    else llm.answer(asked, response, seen)
  }
  return llm
}

const words = (text: string): number => text.split(/\s+/).filter((word) => word !== '').length

/** Says the last message after `echo: `. A token is a word. */
function echoed(asked: ChatRequest): object {
  return completion(asked, `echo: ${asked.messages.at(-1)!.content}`)
}

/** @param more members in the place of others of the choice */
export function completion(
  { model, messages }: ChatRequest,
  content: string | null,
  more: object = {},
): object {
  const prompt_tokens = messages.reduce((sum, message) => sum + words(message.content), 0)
  const completion_tokens = words(content ?? '')
  return {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1_800_000_000,
    model: `${model}-2026-01-01`,
    choices: [
      { index: 0, message: { role: 'assistant', content, refusal: null }, finish_reason: 'stop', ...more },
    ],
    usage: { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens },
  }
}

export function send(response: ServerResponse, body: object): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

/** An error as OpenAI sends it. */
export function sendError(
  response: ServerResponse,
  status: number,
  message: string,
  { code = null, headers = {} }: { code?: string | null; headers?: Record<string, string> } = {},
): void {
  response
    .writeHead(status, { 'content-type': 'application/json', ...headers })
    .end(JSON.stringify({ error: { message, type: 'invalid_request_error', param: null, code } }))
}
