/** Drivers of databases, which lie beside the program and are loaded when they are first needed. Somebody may have removed them. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

/** The version that tests run against, by the name of the package. Another version of the same major is taken too. */
const DRIVERS = { pg: '8.23.1', mysql2: '3.24.6' } as const
export type DriverName = keyof typeof DRIVERS

/** @param from URL of the module that asks; the package is looked for in the folders above it. */
export function isDriverInstalled(name: DriverName, from: string = import.meta.url): boolean {
  try {
    const path = createRequire(from).resolve(`${name}/package.json`)
    // Read each time: it may have been installed since
    const { version } = JSON.parse(readFileSync(path, 'utf8')) as { readonly version: string }
    return majorOf(version) === majorOf(DRIVERS[name])
  } catch {
    return false
  }
}

/** What to do about a driver that is not installed, as a sentence without a period. */
export function missingDriver(name: DriverName): string {
  const command = `npm install --no-save ${name}@${DRIVERS[name]}`
  return `the driver ${name} is not installed; run "${command}" in the folder of Postern`
}

/** Loads a driver. Rejects where it is not installed; {@link isDriverInstalled} says whether it is. */
export async function loadDriver(name: DriverName): Promise<unknown> {
  return import(name)
}

function majorOf(version: string): string | undefined {
  return version.split('.')[0]
}
