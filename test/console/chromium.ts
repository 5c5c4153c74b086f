/** Chromium at the console, and all that a page must not do: errors in its log, refused content, requests to elsewhere. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { PASSWORD } from '../support/authorization.ts'

const PLACES = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium']
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // The network is cut: nothing but this machine is found
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
]
const found = [process.env['CHROMIUM'], ...PLACES].find((path) => path !== undefined && existsSync(path))
const isBuilt = existsSync(resolve(import.meta.dirname, '../../ui/dist/index.html'))

/** What is missing to open the console in a browser, and how to get it; null if nothing is. */
export function missing(): string | null {
  if (found === undefined)
    return 'no Chromium was found: install the package chromium-headless-shell, or set CHROMIUM to its path'
  return isBuilt ? null : 'the console is not built: npm run build'
}

/** Why no browser test can run; false if they run. They belong to the long form of the tests. */
export const SKIPPED: string | false =
  process.env['REAL_CLIENTS'] !== 'true' ? 'only in npm run test:all' : (missing() ?? false)

/** @param flags further ones of Chromium */
export async function launch(flags: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath: found!, args: [...FLAGS, ...flags] })
}

export interface Visitor extends AsyncDisposable {
  readonly context: BrowserContext
  readonly page: Page
  /** What the pages did that they must not do. */
  readonly faults: string[]
}

/** A browser of its own for a test: no cookies, and a look at everything that goes wrong. */
export async function visitor(
  browser: Browser,
  origins: readonly string[],
  options: {
    readonly width?: number
    readonly dark?: boolean
    readonly anyCertificate?: boolean
    /** The screen is touched. */
    readonly isTouch?: boolean
  } = {},
): Promise<Visitor> {
  const { width = 1440, dark = false, anyCertificate = false, isTouch = false } = options
  const context = await browser.newContext({
    viewport: { width, height: width < 640 ? 844 : 900 },
    colorScheme: dark ? 'dark' : 'light',
    ignoreHTTPSErrors: anyCertificate,
    hasTouch: isTouch,
    isMobile: isTouch,
  })
  const faults: string[] = []
  await context.addInitScript({
    content: `addEventListener('securitypolicyviolation', (event) => console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI))`,
  })
  const watch = (page: Page): void => {
    page.on('console', (message) => message.type() === 'error' && faults.push(message.text()))
    page.on('pageerror', (error) => faults.push(error.message))
    page.on('dialog', (dialog) => {
      faults.push(`dialog: ${dialog.message()}`)
      void dialog.dismiss()
    })
    page.on('request', (request) => {
      const { origin, protocol } = new URL(request.url())
      if (/^(?:data|blob|about):$/.test(protocol) || origins.includes(origin)) return
      faults.push(`outside: ${request.url()}`)
    })
  }
  context.on('page', watch)
  const page = await context.newPage()
  return { context, page, faults, [Symbol.asyncDispose]: () => context.close() }
}

/** Signs a local user in at the console. */
export async function signIn(page: Page, origin: string, name: string, path = '/console/'): Promise<void> {
  await page.goto(origin + path)
  await page.getByRole('link', { name: 'Sign in' }).click()
  await page.getByLabel('Name or email').fill(name)
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.waitForURL(origin + path)
  await page.getByRole('heading', { level: 1 }).waitFor()
}

/** Opens a page of the console, and waits for what it asks for. @param path below `/console` */
export async function openPage(page: Page, origin: string, path: string): Promise<void> {
  await page.goto(`${origin}/console${path}`)
  await page.getByRole('heading', { level: 1 }).waitFor()
  await page.waitForLoadState('networkidle')
}

export function assertFaultless({ faults }: Visitor, at: string): void {
  assert.deepEqual(faults, [], at)
}
