/**
 * Takes the pictures of docs/console.md over the sample instance. `UPDATE_GOLDEN=1` puts them into docs/console; otherwise they go to a
 * temporary folder, because times and durations differ from run to run.
 */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, suite, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { type Sample, startSample } from '../support/sample/instance.ts'
import { assertFaultless, launch, SKIPPED, signIn, visitor } from './chromium.ts'
import { PICTURES } from './pages.ts'

const DOCS = resolve(import.meta.dirname, '../../docs')
const FOLDER = join(DOCS, 'console')
const SIZE = { width: 1280, height: 800 }

/** Width and height of a PNG file, pixels (PNG specification, IHDR). */
function sizeOf(file: string): object {
  const bytes = readFileSync(file)
  assert.equal(bytes.toString('latin1', 1, 4), 'PNG', file)
  return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) }
}

test('docs/console.md shows each of the ten pictures, and no other', () => {
  const text = readFileSync(join(DOCS, 'console.md'), 'utf8')
  const shown = [...text.matchAll(/!\[[^\]]{10,}\]\(console\/([a-z-]+)\.png\)/g)].map(([, name]) => name)
  assert.deepEqual(shown.toSorted(), PICTURES.map(({ name }) => name).toSorted())
  assert.equal(PICTURES.length, 10)
  for (const { name } of PICTURES) assert.deepEqual(sizeOf(join(FOLDER, `${name}.png`)), SIZE)
})

suite('pictures of the console', { skip: SKIPPED }, () => {
  const isUpdate = process.env['UPDATE_GOLDEN'] !== undefined
  let folder: string
  let browser: Browser
  let sample: Sample

  before(async () => {
    folder = isUpdate ? FOLDER : mkdtempSync(join(tmpdir(), 'postern-pictures-'))
    mkdirSync(folder, { recursive: true })
    sample = await startSample()
    browser = await launch()
  })
  after(async () => {
    await browser?.close()
    await sample?.[Symbol.asyncDispose]()
    if (!isUpdate) rmSync(folder, { recursive: true, force: true })
  })

  test('each page of a picture renders over the sample instance without a fault', async () => {
    const { controlUrl, origin } = sample.server.running
    await using visit = await visitor(browser, [controlUrl, origin])
    const { page } = visit
    await page.setViewportSize(SIZE)
    await signIn(page, controlUrl, sample.administrator)
    for (const { name, path } of PICTURES) {
      await page.goto(`${controlUrl}/console${path}`)
      await page.getByRole('heading', { level: 1 }).waitFor()
      await page.waitForLoadState('networkidle')
      const file = join(folder, `${name}.png`)
      await page.screenshot({ path: file })
      assert.deepEqual(sizeOf(file), SIZE)
      assert.equal(await page.locator('[role=alert]').count(), 0, path)
      assertFaultless(visit, path)
    }
  })
})
