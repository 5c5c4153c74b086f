import { readFileSync } from 'node:fs'
import type { Plugin } from 'vite'
import { aboutsOf, type JsonObject, rowsOf, schemasOf } from './document.ts'

const ABOUT = 'virtual:about'
const ROWS = 'virtual:operations'
const SCHEMAS = 'virtual:schemas'

/**
 * Modules that are printed from the OpenAPI document: `virtual:about` has a sentence for each resource, `virtual:operations` a row for each
 * operation, `virtual:schemas` loads the schemas of a resource on demand, each from a module of its own.
 * @param path of the printed document
 */
export function schemasPlugin(path: string): Plugin {
  const document = JSON.parse(readFileSync(path, 'utf8')) as JsonObject
  const schemas = schemasOf(document)
  const asModule = (value: unknown): string =>
    `export default JSON.parse(${JSON.stringify(JSON.stringify(value))})`
  return {
    name: 'postern-schemas',
    resolveId: (id) =>
      [ABOUT, ROWS, SCHEMAS].includes(id) || id.startsWith(`${SCHEMAS}/`) ? `\0${id}` : null,
    load(id) {
      if (id === `\0${ABOUT}`) return asModule(aboutsOf(document))
      if (id === `\0${ROWS}`) return asModule(rowsOf(document))
      if (id === `\0${SCHEMAS}`) {
        const loaders = Object.keys(schemas).map((name) => `${name}: () => import('${SCHEMAS}/${name}')`)
        return `export default { ${loaders.join(', ')} }`
      }
      if (id.startsWith(`\0${SCHEMAS}/`)) return asModule(schemas[id.slice(SCHEMAS.length + 2)])
      return null
    },
  }
}
