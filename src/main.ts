/**
 * The entry of the program. Compiled code is kept beside the dependencies, or for a package in the cache of the user, for this thread and,
 * through the environment, for the others: a later start takes half the time and a fifth less memory. Where that directory cannot be
 * written, everything works the same without it.
 */
import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { currentUrl, IS_PACKAGE, PROGRAM } from './base/program.ts'

const caches = IS_PACKAGE
  ? process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache')
  : join(PROGRAM, 'node_modules/.cache')
const { directory } = enableCompileCache(process.env['NODE_COMPILE_CACHE'] || join(caches, 'postern'))
if (directory !== undefined) process.env['NODE_COMPILE_CACHE'] ??= directory
await import(currentUrl('command').href)
