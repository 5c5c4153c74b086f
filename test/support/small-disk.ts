import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A file system of its own with little room, which is really full when it is filled. */
export interface SmallDisk {
  readonly path: string
  /** Takes all the room that is left, to the last block. */
  fill(): void
  /** Gives the room back. */
  free(): void
  remove(): void
}

/** Mounts one, or says why that is not possible here: it takes Linux and the rights of root. */
export function mountSmallDisk(megabytes: number): SmallDisk | string {
  if (process.platform !== 'linux') return 'a small disk can be mounted on Linux only'
  const path = mkdtempSync(join(tmpdir(), 'postern-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path], { stdio: 'pipe' })
  } catch {
    rmSync(path, { recursive: true })
    return 'mounting a small disk takes the rights of root'
  }
  const filler = join(path, 'filler')
  return {
    path,
    fill() {
      const descriptor = openSync(filler, 'w')
      const block = Buffer.alloc(statfsSync(path).bsize)
      try {
        for (;;) writeSync(descriptor, block)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      } finally {
        closeSync(descriptor)
      }
    },
    free: () => rmSync(filler, { force: true }),
    remove() {
      execFileSync('umount', ['-l', path])
      rmSync(path, { recursive: true })
    },
  }
}
