/** People who connect their accounts at origins, in a scripted browser. */
import assert from 'node:assert/strict'
import { PASSWORD } from './authorization.ts'
import { Browser, type Shown } from './browser.ts'

/** A browser in which a person has signed in at Postern. @param origin of Postern */
export async function signedInBrowser(origin: string, person: string): Promise<Browser> {
  const browser = new Browser(origin)
  const page = await browser.open('/connect')
  assert.match(page.text, /name="password"/)
  const shown = await browser.submit(page, { name: person, password: PASSWORD, do: 'password' })
  assert.equal(shown.url.pathname, '/connect', shown.text)
  return browser
}

/** From a page with a Connect button, over the page that asks the person to agree, to the page that leads away. */
export async function leaveFrom(browser: Browser, page: Shown): Promise<Shown> {
  return browser.submit(await browser.submit(page, { do: 'connect' }), { do: 'agree' })
}

/** From a page with a Connect button to the authorization server, and back. */
export async function connectFrom(browser: Browser, page: Shown): Promise<Shown> {
  const leaving = await leaveFrom(browser, page)
  const link = /<a href="(https?:[^"]+)">Continue to /.exec(leaving.text)?.[1]
  assert.ok(link !== undefined, `a link in ${leaving.status} ${leaving.text}`)
  const to = new URL(link.replaceAll('&#38;', '&'))
  const back = await new Browser(to.origin).open(to)
  assert.equal(back.text, '', `${back.status} ${back.url.href} ${back.text}`)
  return browser.open(back.url)
}

/** Connects the account of the person of the browser at an origin. */
export async function connect(browser: Browser, slug: string): Promise<Shown> {
  const page = await connectFrom(browser, await browser.open(`/connect/${slug}`))
  assert.match(page.text, /Connected (as|since)/, page.text)
  return page
}
