import type { Plugin } from 'vite'
import { problemsOf } from './problems.ts'

const PROBLEMS = 'virtual:problems'

/**
 * `virtual:problems` has the page of each problem code.
 * @param directory of the printed pages
 */
export function problemsPlugin(directory: string): Plugin {
  return {
    name: 'postern-problems',
    resolveId: (id) => (id === PROBLEMS ? `\0${id}` : null),
    load: (id) =>
      id === `\0${PROBLEMS}`
        ? `export default JSON.parse(${JSON.stringify(JSON.stringify(problemsOf(directory)))})`
        : null,
  }
}
