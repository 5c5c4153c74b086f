import { execFileSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The module that a package exports as `postern/client`, below `src`. */
const ENTRY = 'surfaces/client/package.ts'
/** As a declaration names a module beside it. The compiler leaves the ending of the sources there. */
const SOURCE = /((?:from|import) '\.[^']+)\.ts'/g

/**
 * Writes the client of Management REST as JavaScript with declarations: the few modules that it needs, each to its place below `dir`.
 * @param top the checkout
 */
export function writeClient(top: string, dir: string): void {
  const at = mkdtempSync(join(tmpdir(), 'postern-client-'))
  const compilerOptions = {
    noEmit: false,
    declaration: true,
    rootDir: join(top, 'src'),
    outDir: dir,
    typeRoots: [join(top, 'node_modules/@types')],
  }
  const project = join(at, 'tsconfig.json')
  const files = [join(top, 'src', ENTRY)]
  writeFileSync(
    project,
    JSON.stringify({ extends: join(top, 'tsconfig.json'), compilerOptions, include: [], files }),
  )
  rmSync(dir, { recursive: true, force: true })
  try {
    execFileSync(process.execPath, [join(top, 'node_modules/typescript/bin/tsc'), '-p', project], {
      stdio: 'inherit',
    })
  } finally {
    rmSync(at, { recursive: true })
  }
  for (const name of globSync('**/*.d.ts', { cwd: dir })) {
    const path = join(dir, name)
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll(SOURCE, "$1.js'"))
  }
}
