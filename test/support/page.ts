import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { call, type Reply, type TestServer, until } from '../scenarios/server.ts'

interface Message {
  readonly start: string
  readonly headers: Record<string, string>
  readonly body: string
}

/**
 * Does what a page of the docs shows: each `http` block is a request, or the answer to the one before (status, the
 * header lines that are shown, and the members of the body that are shown). Paths below /management go to the control
 * listener with the administrator's token, or the one that is shown; $ID in a path stands for the id in the answer before,
 * $REQUEST_ID for that of the request before, and $CAPTURE in paths and bodies for the id of the last capture. Gives the number of requests.
 * @param words replaced in the page, such as the address of the upstream.
 */
export async function runPage(
  name: string,
  server: TestServer,
  words: Readonly<Record<string, string>>,
): Promise<number> {
  let page = await readFile(resolve(import.meta.dirname, '../../docs', name), 'utf8')
  for (const [word, text] of Object.entries(words)) page = page.replaceAll(word, text)
  let answer: Reply | null = null
  let request = ''
  let capture = ''
  let count = 0
  for (const match of page.matchAll(/```http\n([\s\S]*?)\n```/g)) {
    const message = read(match[1]!)
    if (message.start.startsWith('HTTP/1.1 ')) {
      assert.ok(answer !== null, 'an answer follows a request')
      const what: string = `${name}: ${request}: ${answer.text}`
      assert.equal(answer.status, Number(message.start.split(' ')[1]), what)
      for (const [field, value] of Object.entries(message.headers))
        assert.equal(answer.headers.get(field), value, `${what}: ${field}`)
      if (message.body !== '') assertHas(answer.json, JSON.parse(message.body), what)
      continue
    }
    const [method, path] = message.start.split(' ')
    request = message.start
    const isManagement = path!.startsWith('/management')
    const base = isManagement ? server.running.controlUrl : server.running.gatewayUrl
    const id = String(answer?.json?.id ?? answer?.json?.change_request?.id)
    const requestId = String(answer?.headers.get('x-request-id'))
    const target = path!.replace('$ID', id).replace('$REQUEST_ID', requestId).replace('$CAPTURE', capture)
    const ask = (): Promise<Reply> =>
      call(method!, base + target, {
        headers: message.headers,
        ...(isManagement && message.headers['authorization'] === undefined
          ? { token: server.adminToken }
          : {}),
        ...(message.body === '' ? {} : { body: message.body.replace('$CAPTURE', capture) }),
      })
    // A gateway thread tells of the request that it has taken
    answer = await (path!.includes('get_capture')
      ? until(ask, ({ json }) => json?.state !== 'waiting')
      : ask())
    if (/^cap_/.test(answer.json?.id)) capture = answer.json.id
    if (isManagement) assert.ok(answer.status < 300, `${name}: ${request}: ${answer.text}`)
    count++
  }
  return count
}

function read(text: string): Message {
  const [head, ...rest] = text.split('\n\n')
  const [start, ...lines] = head!.split('\n')
  const headers = Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.indexOf(':')).toLowerCase(),
      line.slice(line.indexOf(':') + 1).trim(),
    ]),
  )
  return { start: start!, headers, body: rest.join('\n\n') }
}

/** What is shown stands in the answer too; lists are as long as shown. */
function assertHas(given: unknown, shown: unknown, what: string): void {
  if (Array.isArray(shown)) {
    assert.ok(Array.isArray(given) && given.length === shown.length, what)
    for (const [index, item] of shown.entries()) assertHas(given[index], item, what)
  } else if (shown !== null && typeof shown === 'object') {
    assert.ok(given !== null && typeof given === 'object', what)
    for (const [name, value] of Object.entries(shown))
      assertHas((given as Record<string, unknown>)[name], value, what)
  } else assert.equal(given, shown, what)
}
