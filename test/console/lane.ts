/** A browser context that goes through screens one after another, and the answers of Management REST that its pages get. */
import assert from 'node:assert/strict'
import type { Browser, Page } from 'playwright-core'
import { assertFaultless, type Visitor, visitor } from './chromium.ts'

export interface Asked {
  readonly method: string
  /** Below the root of Management REST. */
  readonly path: string
  readonly body: string
}

export interface Reply {
  readonly status: number
  readonly body: unknown
}

/** An answer in the place of that of the server; null: the server answers. */
export type Answering = (asked: Asked) => Reply | null

export interface Opened {
  readonly page: Page
  /** Replaces the answers of the server from now on. */
  answer(next: Answering): void
  /** Resolves once no request is under way and the page is drawn. */
  settle(): Promise<void>
  /** Goes to another address of the console as a link does: the page stays loaded. */
  follow(url: string): Promise<void>
}

export interface Lane extends AsyncDisposable {
  readonly visit: Visitor
  /** Opens a page below `/console` in a tab of its own, and hands it over until `look` is done. */
  open(path: string, answering: Answering, look: (opened: Opened) => Promise<void>): Promise<void>
  /** Goes to a page below `/console` in a tab that stays, as by a link, and hands it over. The server answers. */
  go(path: string, look: (opened: Opened) => Promise<void>): Promise<void>
}

const ROOT = '/management/v1'
/** What is not there by then does not come, milliseconds. */
const TIMEOUT_MS = 15_000
/** Two addresses may show the same page: its title does not change then. */
const SAME_MS = 2000
/** Turns of the page without a request until it is settled. */
const TURNS = 3
const TURNS_MAX = 100
/** Goes to an address of the console as a link does: the page stays loaded. */
const FOLLOW = (url: string): string =>
  `history.pushState(null, '', ${JSON.stringify(url)}); dispatchEvent(new PopStateEvent('popstate'))`
const RENAMED = (title: string): string => `new Promise((done) => {
  const end = performance.now() + ${SAME_MS}
  const look = () =>
    document.title !== ${JSON.stringify(title)} || performance.now() > end ? done() : requestAnimationFrame(look)
  look()
})`
/** A turn of the page; true if nothing on it is still to come. */
const DRAWN = `new Promise((done) =>
  requestAnimationFrame(() => setTimeout(() => done(document.querySelector('main .skeleton') === null))),
)`

export async function startLane(
  browser: Browser,
  origins: readonly string[],
  cookies: Parameters<Visitor['context']['addCookies']>[0],
): Promise<Lane> {
  const visit = await visitor(browser, origins)
  await visit.context.addCookies([...cookies])
  const url = (path: string): string => `${origins[0]}/console${path}`
  let kept: Opened | null = null
  return {
    visit,
    async open(path, answering, look) {
      const opened = await openTab(visit, answering)
      try {
        await opened.page.goto(url(path))
        await opened.settle()
        await look(opened)
      } finally {
        await opened.page.close()
      }
    },
    async go(path, look) {
      if (kept === null) {
        kept = await openTab(visit, () => null)
        await kept.page.goto(url(path))
        await kept.settle()
      } else await kept.follow(url(path))
      try {
        await look(kept)
      } catch (error) {
        // What is open on the page would be in the way of the next one
        await kept.page.close()
        kept = null
        throw error
      }
    },
    [Symbol.asyncDispose]: () => visit[Symbol.asyncDispose](),
  }
}

async function openTab(visit: Visitor, answering: Answering): Promise<Opened> {
  const page = await visit.context.newPage()
  page.setDefaultTimeout(TIMEOUT_MS)
  let answer = answering
  const underWay = new Set<unknown>()
  page.on('request', (request) => underWay.add(request))
  page.on('requestfinished', (request) => underWay.delete(request))
  page.on('requestfailed', (request) => underWay.delete(request))
  await intercept(page, (asked) => answer(asked))
  const settle = async (): Promise<void> => {
    await page.getByRole('heading', { level: 1 }).waitFor()
    for (let quiet = 0, all = 0; quiet < TURNS && all < TURNS_MAX; all++)
      quiet = (await page.evaluate<boolean>(DRAWN)) && underWay.size === 0 ? quiet + 1 : 0
  }
  return {
    page,
    answer: (next) => {
      answer = next
    },
    settle,
    async follow(url) {
      const [before, title] = [new URL(page.url()).pathname, await page.title()]
      await page.evaluate(FOLLOW(url))
      // The page before stays until the files of the next one are there
      if (before !== new URL(url).pathname) await page.evaluate(RENAMED(title))
      await settle()
    },
  }
}

/** With the protocol of the browser: routes of playwright-core would switch its cache off. */
async function intercept(page: Page, answer: Answering): Promise<void> {
  const session = await page.context().newCDPSession(page)
  session.on('Fetch.requestPaused', ({ requestId, request }) => {
    const { pathname, search } = new URL(request.url)
    const { method, postData: body = '' } = request
    const reply = answer({ method, path: pathname.slice(ROOT.length) + search, body })
    const sent =
      reply === null
        ? session.send('Fetch.continueRequest', { requestId })
        : session.send('Fetch.fulfillRequest', {
            requestId,
            responseCode: reply.status,
            responseHeaders: [{ name: 'content-type', value: 'application/json' }],
            body: Buffer.from(JSON.stringify(reply.body)).toString('base64'),
          })
    // The page may be closed by then
    sent.catch(() => {})
  })
  await session.send('Fetch.enable', { patterns: [{ urlPattern: `*${ROOT}/*` }] })
}

/** Goes through all items, each in the first lane that is free, and fails with everything that was found. */
export async function inLanes<T>(
  lanes: readonly Lane[],
  items: readonly T[],
  nameOf: (item: T) => string,
  look: (item: T, lane: Lane) => Promise<void>,
  isExpected: (fault: string) => boolean = () => false,
): Promise<void> {
  const found: string[] = []
  const left = [...items]
  await Promise.all(
    lanes.map(async (lane) => {
      for (let item = left.shift(); item !== undefined; item = left.shift()) {
        const at = nameOf(item)
        await look(item, lane).catch((error: Error) => found.push(`${at}: ${error.message}`))
        const { faults } = lane.visit
        const own = faults.splice(0).filter((fault) => !isExpected(fault))
        if (own.length > 0) found.push(`${at}: ${own.join('; ')}`)
      }
      assertFaultless(lane.visit, 'a lane')
    }),
  )
  assert.deepEqual(found, [])
}
