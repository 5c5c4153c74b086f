/** Decides whether the key file is beside the data that it protects. */
import { isAbsolute, relative, resolve } from 'node:path'

/** Whether a file lies in a directory. */
export function isInside(file: string, directory: string): boolean {
  const path = relative(resolve(directory), resolve(file))
  return !path.startsWith('..') && !isAbsolute(path)
}

/** What is said of a key file in the data directory. */
export function keyBesideData(file: string): string {
  return `the key file ${file} is in the data directory: a program that can write config.db there can often read the key too, and could forge the audit trail. Keep the key elsewhere, and name it with POSTERN_KEY_FILE`
}
