import assert from 'node:assert/strict'

/** A page, or the redirect that left the origin. */
export interface Shown {
  readonly status: number
  readonly url: URL
  readonly headers: Headers
  readonly text: string
  /** Redirects that were followed. */
  readonly redirects: number
}

interface Cookie {
  readonly name: string
  readonly value: string
  readonly path: string
}

/** The boxes of a form, as the page ticks them. */
export function boxesOf(form: string): { name: string; value: string; isTicked: boolean }[] {
  const boxes = form.matchAll(/<input type="checkbox" name="([^"]+)" value="([^"]+)"( checked)?>/g)
  return [...boxes].map(([, name, value, ticked]) => ({
    name: name!,
    value: value!,
    isTicked: ticked !== undefined,
  }))
}

/** As much of a browser as signing in takes: it keeps cookies, follows redirects within one origin, and sends forms. */
export class Browser {
  readonly #origin: string
  #cookies: Cookie[] = []

  constructor(origin: string) {
    this.#origin = origin
  }

  get cookies(): readonly string[] {
    return this.#cookies.map(({ name }) => name)
  }

  /**
   * Follows redirects until there is a page, or one leads elsewhere: that is shown by its URL alone, as is the first
   * one where none is followed.
   */
  async open(
    target: string | URL,
    form?: Readonly<Record<string, string>> | [string, string][],
    follows = true,
  ): Promise<Shown> {
    let url = new URL(target, this.#origin)
    let body = form === undefined ? undefined : new URLSearchParams(form)
    for (let count = 0; count < 20; count++) {
      const response = await fetch(url, {
        method: body === undefined ? 'GET' : 'POST',
        redirect: 'manual',
        headers: { cookie: this.#cookieFor(url.pathname), accept: 'text/html,*/*;q=0.8' },
        ...(body === undefined ? {} : { body }),
      })
      const text = await response.text()
      for (const line of response.headers.getSetCookie()) this.#keep(line)
      const location = response.headers.get('location')
      if (location === null)
        return { status: response.status, url, headers: response.headers, text, redirects: count }
      url = new URL(location, url)
      body = undefined
      if (url.origin !== this.#origin || !follows)
        return { status: response.status, url, headers: response.headers, text: '', redirects: count + 1 }
    }
    throw new Error(`too many redirects, the last one to ${url.href}`)
  }

  /**
   * Sends the first form of a page, with its hidden fields and these.
   * @param ticked values of the boxes that are ticked; absent sends those that the page ticks.
   */
  submit(
    page: Shown,
    fields: Readonly<Record<string, string>>,
    follows = true,
    ticked: readonly string[] | undefined = undefined,
  ): Promise<Shown> {
    const form = /<form method="post" action="([^"]+)">([\s\S]*?)<\/form>/.exec(page.text)
    assert.ok(form !== null, `a form in ${page.status} ${page.text}`)
    const hidden = [...form[2]!.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)]
    const given = Object.fromEntries(hidden.map(([, name, value]) => [name!, value!]))
    const boxes = boxesOf(form[2]!).filter(({ value, isTicked }) => ticked?.includes(value) ?? isTicked)
    const all = [...Object.entries({ ...given, ...fields }), ...boxes.map(({ name, value }) => [name, value])]
    return this.open(new URL(form[1]!, page.url), all as [string, string][], follows)
  }

  #cookieFor(path: string): string {
    return this.#cookies
      .filter((cookie) => path === cookie.path || path.startsWith(cookie.path.replace(/\/?$/, '/')))
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ')
  }

  #keep(line: string): void {
    const [pair = '', ...attributes] = line.split('; ')
    const [name = '', value = ''] = pair.split(/=(.*)/s)
    const path = attributes.find((one) => one.startsWith('path='))?.slice(5) ?? '/'
    this.#cookies = this.#cookies.filter((cookie) => cookie.name !== name || cookie.path !== path)
    if (!line.includes('expires=Thu, 01 Jan 1970')) this.#cookies.push({ name, value, path })
  }
}
