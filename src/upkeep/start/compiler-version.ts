/** Names the compiler of fragments, so that fragments of another compiler are compiled again. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { BUILT, PROGRAM } from '../../base/program.ts'

/** Folders below `src` that decide what a configuration compiles to. */
const FOLDERS = ['snapshot', 'model', 'base']

/**
 * Names what compiles fragments: the version of the program, the newest schema of the store, and a digest of the sources. Fragments that were
 * stored under another name are compiled anew, so that no change of the compiler is left out where nobody has counted it.
 */
export function compilerVersion(version: string, schema: number, root?: string): string {
  const digest = root === undefined && BUILT !== null ? BUILT.compiler : compilerDigest(root)
  return `${version} ${schema} ${digest}`
}

/** Digest of the sources that compile. @param root the folder `src`; a bundle has the digest in it, and reads none of them */
export function compilerDigest(root = join(PROGRAM, 'src')): string {
  const digest = createHash('sha256')
  for (const folder of FOLDERS)
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).sort()) {
      if (!name.endsWith('.ts') || name.endsWith('.test.ts')) continue
      const text = readFileSync(join(root, folder, name))
      digest.update(`${folder}/${name} ${text.length}\n`).update(text)
    }
  return digest.digest('base64url').slice(0, 22)
}
