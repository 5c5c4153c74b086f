/** The packages that a bundle was made of: their licences, and the list of them (a bill of materials). */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** With the name, version, licence and its text of each package in a bundle. */
export const LICENCES = 'licences.txt'

/** Folders of the packages that these modules belong to, in order. */
export function packagesOf(modules: readonly string[]): string[] {
  const folders = modules.flatMap((path) => /^[^\0]*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? [])
  return [...new Set(folders)].sort()
}

interface Described {
  readonly name: string
  readonly version: string
  readonly license: string
}

function described(folder: string): Described {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Described
}

/** Name, version, licence and its text of packages. @param packages their folders */
export function licencesOf(packages: readonly string[]): string {
  const parts = packages.map((path) => {
    const { name, version, license } = described(path)
    const texts = readdirSync(path)
      .filter((file) => /^(?:licen[cs]e|copying|notice)/i.test(file))
      .sort()
      .map((file) => readFileSync(join(path, file), 'utf8').trim())
    return [`${name} ${version} (${license})`, ...texts].join('\n\n')
  })
  return `${parts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`
}

/** What a bill of materials is about. */
interface About {
  readonly name: string
  readonly version: string
  readonly description: string
  readonly license: string
  /** RFC 3339; null leaves it out. */
  readonly time: string | null
}

/**
 * A bill of materials in CycloneDX 1.6 (ECMA-424), as JSON: each package with its version, licence and the digest of its archive. The
 * same packages give the same text.
 * @param packages their folders @param locked the entries of package-lock.json by folder
 */
export function billOf(
  about: About,
  packages: readonly string[],
  locked: (folder: string) => { readonly integrity?: string } | undefined,
): string {
  const components = packages.map((folder) => {
    const { name, version, license } = described(folder)
    const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`
    const integrity = locked(folder)?.integrity
    const digest = /^sha512-(.+)$/.exec(integrity ?? '')?.[1]
    return {
      type: 'library',
      'bom-ref': purl,
      name,
      version,
      licenses: [/[ ()]/.test(license) ? { expression: license } : { license: { id: license } }],
      purl,
      ...(digest !== undefined && {
        hashes: [{ alg: 'SHA-512', content: Buffer.from(digest, 'base64').toString('hex') }],
      }),
    }
  })
  const purl = `pkg:npm/${about.name}@${about.version}`
  const { name, version, description, license } = about
  const document = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify([purl, about.time, components]))}`,
    version: 1,
    metadata: {
      ...(about.time !== null && { timestamp: about.time }),
      component: {
        type: 'application',
        'bom-ref': purl,
        ...{ name, version, description, purl },
        licenses: [{ license: { id: license } }],
      },
    },
    components: [...new Map(components.map((one) => [one.purl, one])).values()],
    dependencies: [{ ref: purl, dependsOn: [...new Set(components.map((one) => one.purl))] }],
  }
  return `${JSON.stringify(document, null, 2)}\n`
}

/** A UUID by the content of what it names (RFC 9562, version 8). */
function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex')
  const variant = ((Number.parseInt(hex.slice(16, 18), 16) & 0x3f) | 0x80).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(18, 20)}-${hex.slice(20, 32)}`
}
