import assert from 'node:assert/strict'
import { PASSWORD } from './authorization.ts'

interface Answer {
  readonly status: number
  readonly url: URL
  readonly headers: Headers
  readonly text: string
}

/** As much of a browser as the sign-in at the console takes: cookies by host name, as cookies ignore ports, and redirects to any origin. */
export class ConsoleBrowser {
  readonly #cookies = new Map<string, Map<string, string>>()
  /** Cookies that are sent before those of the host, as `name=value`: what another port has set for a longer path. */
  before: readonly string[] = []
  /** Lines of Set-Cookie as they came. */
  readonly set: string[] = []

  cookie(host: string, name: string): string | undefined {
    return this.#cookies.get(host)?.get(name)
  }

  give(host: string, name: string, value: string): void {
    const jar = this.#cookies.get(host) ?? new Map<string, string>()
    this.#cookies.set(host, jar.set(name, value))
  }

  /** One request, without following where it leads. */
  async ask(target: string | URL, init: RequestInit = {}): Promise<Answer> {
    const url = new URL(target)
    const jar = this.#cookies.get(url.hostname) ?? new Map<string, string>()
    const headers = new Headers(init.headers)
    // A kept connection may have been closed by the server while this process was busy, and the request would fail
    headers.set('connection', 'close')
    const cookies = [...this.before, ...[...jar].map(([name, value]) => `${name}=${value}`)]
    if (cookies.length > 0) headers.set('cookie', cookies.join('; '))
    const response = await fetch(url, { ...init, headers, redirect: 'manual' })
    for (const line of response.headers.getSetCookie()) {
      this.set.push(line)
      const [pair = ''] = line.split(';')
      const [name = '', value = ''] = pair.split(/=(.*)/s)
      if (/max-age=0|expires=thu, 01 jan 1970/i.test(line)) jar.delete(name)
      else jar.set(name, value)
    }
    this.#cookies.set(url.hostname, jar)
    return { status: response.status, url, headers: response.headers, text: await response.text() }
  }

  /** Opens a page, wherever redirects lead. */
  async open(target: string | URL, init: RequestInit = {}): Promise<Answer> {
    let answer = await this.ask(target, init)
    for (let count = 0; answer.headers.has('location'); count++) {
      assert.ok(count < 20, `too many redirects, the last one to ${answer.headers.get('location')}`)
      answer = await this.ask(new URL(answer.headers.get('location')!, answer.url))
    }
    return answer
  }

  /** Sends the first form of a page, with its hidden fields. */
  submit(page: Answer, fields: Readonly<Record<string, string>>): Promise<Answer> {
    const hidden = [...page.text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)">/g)]
    const [, action = ''] = /<form method="post" action="([^"]*)"/.exec(page.text) ?? []
    const body = new URLSearchParams({
      ...Object.fromEntries(hidden.map(([, name, value]) => [name!, value!])),
      ...fields,
    })
    return this.open(new URL(action, page.url), {
      method: 'POST',
      body,
      headers: { 'sec-fetch-site': 'same-origin', origin: page.url.origin },
    })
  }

  /** Signs a local user in at a console; answers what the console shows then. */
  async signIn(origin: string, name: string, returnTo = '/console/'): Promise<Answer> {
    const page = await this.open(`${origin}/console/login?return_to=${encodeURIComponent(returnTo)}`)
    assert.equal(page.status, 200, page.text)
    return this.submit(page, { do: 'password', name, password: PASSWORD })
  }

  /** A call of management REST, as the console makes it. */
  api(origin: string, method: string, path: string, body?: unknown, more: Record<string, string> = {}) {
    return this.ask(`${origin}${path}`, {
      method,
      headers: {
        'x-postern-console': '1',
        'sec-fetch-site': 'same-origin',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...more,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
  }
}
