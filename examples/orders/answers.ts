import type { IncomingMessage, ServerResponse } from 'node:http'

/** Largest request body in bytes. */
const BODY_BYTES_MAX = 1024 * 1024

/** An error that is answered as RFC 9457 problem details. */
export class Problem extends Error {
  readonly status: number
  readonly title: string

  constructor(status: number, title: string, detail: string) {
    super(detail)
    this.name = 'Problem'
    this.status = status
    this.title = title
  }
}

/** Answers with JSON. */
export function answer(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = JSON.stringify(body)
  const contentType = status >= 400 ? 'application/problem+json' : 'application/json'
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(text),
    ...headers,
  })
  response.end(response.req.method === 'HEAD' ? undefined : text)
}

/** Answers with problem details; what is no {@link Problem} is a fault of the service. */
export function answerProblem(response: ServerResponse, error: unknown): void {
  const { status, title, message } =
    error instanceof Problem ? error : new Problem(500, 'Internal error', 'The service failed.')
  answer(response, status, { type: 'about:blank', title, status, detail: message })
}

/** The request body as a JSON object. */
export async function readObject(request: IncomingMessage): Promise<Record<string, unknown>> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length
    if (bytes > BODY_BYTES_MAX) throw new Problem(413, 'Body too large', 'A body has at most 1 MiB.')
    pieces.push(piece)
  }
  let value: unknown
  try {
    value = JSON.parse(Buffer.concat(pieces).toString('utf8'))
  } catch {
    throw new Problem(400, 'Malformed body', 'The body is not JSON.')
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new Problem(400, 'Malformed body', 'The body is not a JSON object.')
  return value as Record<string, unknown> // Just checked.
}
