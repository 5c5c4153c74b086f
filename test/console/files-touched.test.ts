/**
 * How many files of `ui/src` a reader has to open to follow one save: a person presses "Review the change" in the form of a resource,
 * sees the difference, presses "Save", and sees the notice and the page of the resource. Counted are files in which a function ran from
 * just before the first press until the page is at rest again. What only loading runs does not count, nor what loading has run before.
 * The frame around every page is taken away: functions that also run where the address of a page without a resource changes. A file
 * stays if another function in it ran. The bounds are what was counted: a change that needs another file raises a bound here, and says so.
 *
 * The console is built without minification and with source maps for this, and Chromium neither optimizes nor inlines functions: V8
 * does not count calls of what it has inlined.
 */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { SourceMap } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { after, before, suite, type TestContext, test } from 'node:test'
import type { Page } from 'playwright-core'
import { build } from 'vite'
import { consoleConfig } from '../../ui/build/config.ts'
import { created, startTestServer, type TestServer } from '../scenarios/server.ts'
import { launch, SKIPPED, signIn } from './chromium.ts'
import { type Lane, type Opened, startLane } from './lane.ts'
import { addPeople } from './start-console.ts'

const TOP = resolve(import.meta.dirname, '../..')
/** Only files of each measurement count: a timer may fire during one. */
const MEASUREMENTS = 3
const UPSTREAM = { targets: [{ url: 'http://127.0.0.1:9' }] }

/** A script of the build: where its lines begin, and what they were made of. */
interface Script {
  readonly starts: readonly number[]
  readonly map: SourceMap
}

suite('files of the console that a save runs', { skip: SKIPPED }, () => {
  const stack = new AsyncDisposableStack()
  const scripts = new Map<string, Script | null>()
  let server: TestServer
  let lane: Lane
  let assets: string

  before(async () => {
    const bundle = mkdtempSync(join(tmpdir(), 'postern-console-'))
    stack.defer(() => rmSync(bundle, { recursive: true, force: true }))
    assets = join(bundle, 'assets')
    await buildConsole(bundle)
    server = await startTestServer({ workers: 1 })
    stack.defer(() => server.stop())
    await addPeople(server)
    for (const [path, body] of [
      ['/collections', { slug: 'orders', base_path: '/orders', upstream: UPSTREAM, status: 'published' }],
      ['/policies', { slug: 'gold', rate: { max: 10, interval: '1m' } }],
    ] as const)
      await created(server.manage('POST', path, { name: 'Shown', ...body }))
    const browser = await launch(['--js-flags=--no-opt --no-maglev'])
    stack.defer(() => browser.close())
    const { controlUrl: origin, origin: gateway } = server.running
    lane = stack.use(await startLane(browser, [origin, gateway], []))
    const { context, page } = lane.visit
    await signIn(page, origin, 'ann')
    await context.route(`${origin}/console/**`, (route, request) => {
      const { pathname } = new URL(request.url())
      if (request.isNavigationRequest()) return route.fulfill({ path: join(bundle, 'index.html') })
      const file = join(assets, basename(pathname))
      return existsSync(file) ? route.fulfill({ path: file }) : route.continue()
    })
  })
  after(() => stack.disposeAsync())

  /** The script of an address; null if it has no source map, as modules of data. */
  function scriptOf(url: string): Script | null {
    const file = join(assets, basename(url))
    let script = scripts.get(file)
    if (script === undefined) {
      script = existsSync(`${file}.map`)
        ? {
            starts: [0, ...[...readFileSync(file, 'utf8').matchAll(/\n/g)].map(({ index }) => index + 1)],
            map: new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8'))),
          }
        : null
      scripts.set(file, script)
    }
    return script
  }

  /** Where a function was written, as `forms/words.ts:6`; null if that is not in `ui/src`. */
  function placeOf({ starts, map }: Script, offset: number): string | null {
    const line = starts.findLastIndex((start) => start <= offset)
    const entry = map.findEntry(line, offset - starts[line]!)
    // What the bundler adds has no entry in its line
    if (!('originalSource' in entry) || entry.generatedLine !== line) return null
    const path = relative(join(TOP, 'ui/src'), resolve(assets, entry.originalSource))
    return path.startsWith('..') ? null : `${path}:${entry.originalLine + 1}:${entry.originalColumn}`
  }

  /** Functions of `ui/src` that a page runs during some work. */
  async function startCounting(page: Page): Promise<(work: () => Promise<unknown>) => Promise<Set<string>>> {
    const session = await page.context().newCDPSession(page)
    await session.send('Profiler.enable')
    await session.send('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
    return async (work) => {
      // Counts begin anew with each answer
      await session.send('Profiler.takePreciseCoverage')
      await work()
      const { result } = await session.send('Profiler.takePreciseCoverage')
      const ran = new Set<string>()
      for (const { url, functions } of result) {
        const script = scriptOf(url)
        if (script === null) continue
        for (const { functionName, ranges } of functions) {
          const { startOffset, count } = ranges[0]!
          const isLoading = startOffset === 0 && functionName === ''
          const place = count === 0 || isLoading ? null : placeOf(script, startOffset)
          if (place !== null) ran.add(place)
        }
      }
      return ran
    }
  }

  /** Functions of the frame around every page. */
  async function frameOf(): Promise<Set<string>> {
    let frame = new Set<string>()
    await lane.open(
      '/problems',
      () => null,
      async (opened) => {
        const counted = await startCounting(opened.page)
        frame = await counted(() => opened.follow(`${opened.page.url()}?of=frame`))
      },
    )
    return frame
  }

  /** Changes the description of a resource. */
  async function save({ page, settle }: Opened): Promise<void> {
    await page.getByRole('button', { name: 'Review the change' }).click()
    const button = page.getByRole('button', { name: 'Save' })
    await button.waitFor()
    await settle()
    await button.click()
    await page.getByText('Saved').last().waitFor()
    await page.getByRole('button', { name: 'Edit' }).waitFor()
    await settle()
  }

  /** Prints the files that a save of a resource runs, by folder. */
  async function check(
    t: TestContext,
    path: string,
    { max, maxWithFrame }: { readonly max: number; readonly maxWithFrame: number },
  ): Promise<void> {
    const frame = await frameOf()
    assert.ok(filesOf(frame).includes('app/shell.tsx'), 'the frame is rendered')
    const all: ReadonlySet<string>[] = []
    await lane.open(
      path,
      () => null,
      async (opened) => {
        const { page, settle } = opened
        const counted = await startCounting(page)
        // By the first save, the page has loaded all files that a save needs
        for (let time = 0; time <= MEASUREMENTS; time++) {
          await page.getByRole('button', { name: 'Edit' }).click()
          await page.getByLabel(/^Description\b/).fill(`Saved ${time}`)
          await settle()
          const ran = await counted(() => save(opened))
          if (time > 0) all.push(ran)
        }
      },
    )
    const inEach = (isCounted: (place: string) => boolean): string[] =>
      all
        .map((ran) => filesOf([...ran].filter(isCounted)))
        .reduce((files, others) => files.filter((file) => others.includes(file)))
    const whole = inEach(() => true)
    const files = inEach((place) => !frame.has(place))
    const linesOf = (paths: readonly string[]): string[] =>
      [...Map.groupBy(paths, (file) => dirname(file))].map(
        ([folder, own]) => `${folder}: ${own.map((file) => basename(file)).join(' ')}`,
      )
    const lines = [
      ...linesOf(files),
      'of the frame alone:',
      ...linesOf(whole.filter((file) => !files.includes(file))),
    ]
    t.diagnostic(`${t.name} runs functions of ${files.length} files, with those of the frame ${whole.length}`)
    for (const line of lines) t.diagnostic(line)
    assert.ok(files.length <= max, `${files.length} files, more than ${max}:\n${lines.join('\n')}`)
    assert.ok(
      whole.length <= maxWithFrame,
      `${whole.length} files with the frame, more than ${maxWithFrame}:\n${lines.join('\n')}`,
    )
  }

  test('a save of a policy', (t) => check(t, '/policies/gold', { max: 29, maxWithFrame: 34 }))

  test('a save of a collection', (t) => check(t, '/collections/orders', { max: 30, maxWithFrame: 35 }))
})

/** The files of places in them. */
function filesOf(places: Iterable<string>): string[] {
  return [...new Set([...places].map((place) => place.split(':')[0]!))].sort()
}

/** The console as it is shipped, but with its functions as they were written, and with source maps. */
async function buildConsole(outDir: string): Promise<void> {
  // As Vite does where nothing is set
  process.env['NODE_ENV'] = 'production'
  const config = consoleConfig({
    root: join(TOP, 'ui'),
    outDir,
    document: join(TOP, 'test/golden/openapi.json'),
    problems: join(TOP, 'docs/problems'),
  })
  await build({ ...config, build: { ...config.build, minify: false, sourcemap: 'hidden' } })
}
