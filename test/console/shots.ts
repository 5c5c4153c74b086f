/**
 * `npm run console:shots`: pictures of all screens of the console over a sample instance, at 1440 and 390 pixels, light and dark.
 *
 *     npm run console:shots -- --out /tmp/shots --only clients --wide
 *
 * `--out` is the folder; without it a temporary one is made. `--only` takes the pages whose address or picture has the text. `--wide` and
 * `--narrow`, `--light` and `--dark` take one of both.
 */
import { mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { Browser, Page } from 'playwright-core'
import { type Sample, startSample } from '../support/sample/instance.ts'
import { launch, missing, signIn, visitor } from './chromium.ts'
import { type ConsolePage, drawnPages, fileNameOf, PAGES } from './pages.ts'

const { values: flags } = parseArgs({
  options: {
    out: { type: 'string' },
    only: { type: 'string', default: '' },
    wide: { type: 'boolean', default: false },
    narrow: { type: 'boolean', default: false },
    light: { type: 'boolean', default: false },
    dark: { type: 'boolean', default: false },
  },
})

/** Opens a page and waits until it shows what it has asked for. */
async function opened(page: Page, origin: string, { path }: ConsolePage): Promise<void> {
  await page.goto(`${origin}/console${path}`)
  await page.getByRole('heading', { level: 1 }).waitFor()
  await page.waitForLoadState('networkidle')
}

async function take(browser: Browser, sample: Sample, folder: string): Promise<number> {
  const origin = sample.server.running.controlUrl
  const origins = [origin, sample.server.running.origin]
  const isWanted = (page: ConsolePage): boolean =>
    fileNameOf(page).includes(flags.only) || page.path.includes(flags.only)
  let count = 0
  const forms = [1440, 390]
    .filter((width) => flags.wide === flags.narrow || flags.wide === (width === 1440))
    .flatMap((width) => [false, true].map((dark) => ({ width, dark })))
    .filter(({ dark }) => flags.light === flags.dark || flags.dark === dark)
  const takeForm = async ({ width, dark }: (typeof forms)[number]): Promise<void> => {
    await using visit = await visitor(browser, origins, { width, dark })
    await signIn(visit.page, origin, sample.administrator)
    const place = join(folder, `${width}-${dark ? 'dark' : 'light'}`)
    mkdirSync(place, { recursive: true })
    for (const page of [...PAGES, ...(await drawnPages(visit.page))].filter(isWanted)) {
      count++
      await opened(visit.page, origin, page)
      await visit.page.screenshot({ path: join(place, `${fileNameOf(page)}.png`) })
    }
    for (const fault of visit.faults) console.error(`${width} pixels, ${dark ? 'dark' : 'light'}: ${fault}`)
  }
  await Promise.all(forms.map(takeForm))
  return count
}

const lacking = missing()
if (lacking !== null) {
  console.error(`No pictures were taken: ${lacking}.`)
  process.exitCode = 1
} else {
  const folder = flags.out === undefined ? mkdtempSync(join(tmpdir(), 'postern-shots-')) : resolve(flags.out)
  const begun = performance.now()
  await using sample = await startSample()
  const browser = await launch()
  try {
    const count = await take(browser, sample, folder)
    console.log(`${count} pictures in ${((performance.now() - begun) / 1000).toFixed(0)} s: ${folder}`)
  } finally {
    await browser.close()
  }
}
