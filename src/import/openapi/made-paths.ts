import type { Plain } from '../../base/plain.ts'

/** Operations that are gathered one by one, of which each path and method has one. */
export class MadePaths {
  readonly #paths = new Map<string, Map<string, Plain>>()

  get(path: string, method: string): Plain | undefined {
    return this.#paths.get(path)?.get(method)
  }

  set(path: string, method: string, operation: Plain): void {
    const item = this.#paths.get(path) ?? new Map<string, Plain>()
    this.#paths.set(path, item.set(method, operation))
  }

  /** Paths Object of OpenAPI 3.1. */
  toPlain(): Plain {
    return Object.fromEntries([...this.#paths].map(([path, item]) => [path, Object.fromEntries(item)]))
  }
}
