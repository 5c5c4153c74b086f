/**
 * `npm run build`: makes the console in `ui/dist`. `npm ci` and `npm start` run this file too, which does nothing if the console
 * stands already for these sources. The new bundle replaces the old one as a whole.
 */
import { createHash } from 'node:crypto'
import { existsSync, globSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'

const top = resolve(import.meta.dirname, '../..')
const place = resolve(top, 'ui/dist')
const fresh = resolve(top, 'ui/dist-next')
const stamp = resolve(top, 'ui/.built')
const DOCUMENT = resolve(top, 'test/golden/openapi.json')
const PROBLEMS = resolve(top, 'docs/problems')
/** Files that a smaller copy of is served instead. */
const COMPRESSIBLE = /\.(?:js|css|html|svg|json|txt)$/

/** What the bundle is made of: if none of these files has changed, neither has the bundle. */
function fingerprint(): string {
  const files = globSync(
    [
      ...['ui/index.html', 'ui/build/**', 'ui/src/**', 'src/surfaces/client/*.ts', 'docs/problems/*.md'],
      'package-lock.json',
    ],
    {
      cwd: top,
      withFileTypes: true,
    },
  )
  const paths = files.filter((file) => file.isFile()).map((file) => resolve(file.parentPath, file.name))
  const hash = createHash('sha256')
  for (const path of [...paths, DOCUMENT].sort())
    hash.update(path.slice(top.length)).update(readFileSync(path))
  return hash.digest('hex')
}

async function compress(directory: string): Promise<void> {
  const smaller = promisify(brotliCompress)
  const zip = promisify(gzip)
  const files = globSync('**', { cwd: directory, withFileTypes: true }).filter((file) => file.isFile())
  await Promise.all(
    files
      .map((file) => resolve(file.parentPath, file.name))
      .filter((path) => COMPRESSIBLE.test(path))
      .map(async (path) => {
        const bytes = readFileSync(path)
        const params = {
          [constants.BROTLI_PARAM_QUALITY]: 10,
          [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
        }
        writeFileSync(`${path}.br`, await smaller(bytes, { params }))
        writeFileSync(`${path}.gz`, await zip(bytes, { level: 9 }))
      }),
  )
}

async function make(): Promise<void> {
  const { build } = await import('vite')
  const { consoleConfig } = await import('./config.ts')
  await build(
    consoleConfig({ root: resolve(top, 'ui'), outDir: fresh, document: DOCUMENT, problems: PROBLEMS }),
  )
  await compress(fresh)
  rmSync(place, { recursive: true, force: true })
  renameSync(fresh, place)
}

const wanted = fingerprint()
const isReady =
  existsSync(resolve(place, 'index.html')) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted
if (!isReady && !existsSync(resolve(top, 'node_modules/vite'))) {
  console.warn(
    'The console is not built: its build tools are missing. Install them with npm ci, without --omit=dev.',
  )
} else if (!isReady) {
  const started = performance.now()
  console.log('Building the console …')
  await make()
  writeFileSync(stamp, wanted)
  console.log(`Built the console in ${((performance.now() - started) / 1000).toFixed(1)} s`)
}
