import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A directory for configurations, logs and data that is removed at the end. */
export function scratchDirectory(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'postern-bench-'))
  mkdirSync(join(path, 'log'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}
