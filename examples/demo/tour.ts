import { styleText } from 'node:util'

/** What a call really brought back. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body as JSON, or undefined when it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: the tour reads answers of many shapes and checks what it reads
  readonly json: any
}

/** Prints each step of the tour with what came back, and remembers whether it was what was expected. */
export interface Tour {
  step(title: string): void
  say(text: string): void
  /** Performs an HTTP request and prints it like curl would. */
  call(method: string, url: string, options?: CallOptions): Promise<Answer>
  /** Prints the check; a false one makes the tour fail. */
  expect(what: string, holds: boolean): void
  readonly failures: readonly string[]
}

export interface CallOptions {
  readonly token?: string
  readonly headers?: Record<string, string>
  readonly body?: unknown
  /** Shown in place of the body, when that is long or holds a whole document. */
  readonly bodyShown?: string
  /** Print nothing (for calls in a loop). */
  readonly quiet?: boolean
}

const SHOWN_MAX = 420

export function createTour(write: (line: string) => void): Tour {
  const failures: string[] = []
  let steps = 0

  return {
    failures,
    step(title) {
      steps += 1
      write('')
      write(styleText('bold', `${String(steps).padStart(2)}. ${title}`))
    },
    say(text) {
      for (const line of text.split('\n')) write(`    ${line}`)
    },
    async call(method, url, options = {}) {
      const headers: Record<string, string> = { ...options.headers }
      if (options.token !== undefined) headers['authorization'] = `Bearer ${options.token}`
      if (options.body !== undefined) headers['content-type'] ??= 'application/json'
      const response = await fetch(url, {
        method,
        headers,
        ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
        signal: AbortSignal.timeout(30_000),
      })
      const text = await response.text()
      const answer: Answer = { status: response.status, headers: response.headers, text, json: parse(text) }
      if (options.quiet !== true) {
        const shown = options.bodyShown ?? (options.body === undefined ? '' : JSON.stringify(options.body))
        write(
          styleText(
            'cyan',
            `    > ${method} ${new URL(url).pathname}${new URL(url).search} ${short(shown, 200)}`,
          ),
        )
        write(styleText('gray', `    < ${answer.status} ${short(text, SHOWN_MAX)}`))
      }
      return answer
    },
    expect(what, holds) {
      if (!holds) failures.push(`step ${steps}: ${what}`)
      write(`    ${holds ? styleText('green', '✓') : styleText('red', '✗ NOT AS EXPECTED:')} ${what}`)
    },
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function short(text: string, max: number): string {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length <= max ? line : `${line.slice(0, max)}… (${text.length} characters)`
}
