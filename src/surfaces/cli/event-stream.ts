/** Longest event, characters: a server that never ends one would fill the memory. */
const EVENT_CHARS_MAX = 64 * 1024 * 1024

/** The data of each event of a `text/event-stream` (WHATWG HTML 9.2) that is a message; comments and ids are skipped. */
export async function* messagesOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  let event: Event = { data: [], type: 'message' }
  for await (const piece of stream) {
    rest += decoder.decode(piece, { stream: true })
    if (rest.length > EVENT_CHARS_MAX) throw new Error('The server sent an event that is too long.')
    const lines = rest.split(/\r\n|\n|\r(?!$)/)
    rest = lines.pop()!
    for (const line of lines) {
      if (line !== '') take(event, line)
      else {
        if (event.data.length > 0 && event.type === 'message') yield event.data.join('\n')
        event = { data: [], type: 'message' }
      }
    }
  }
}

interface Event {
  readonly data: string[]
  type: string
}

function take(event: Event, line: string): void {
  const at = line.indexOf(':')
  const field = at === -1 ? line : line.slice(0, at)
  const value = at === -1 ? '' : line.slice(at + 1).replace(/^ /, '')
  if (field === 'data') event.data.push(value)
  else if (field === 'event') event.type = value === '' ? 'message' : value
}
