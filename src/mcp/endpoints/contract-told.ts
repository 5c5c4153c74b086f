import { bodyFormOf } from '../../model/api/body-form.ts'
import type { Parameter } from '../../model/api/proxy.ts'
import type { Contract } from '../../snapshot/fragments.ts'
import type { Place, Told } from './target.ts'

/** A contract, with the schemas that its references lead to. */
export interface FoundContract {
  readonly contract: Contract
  readonly schemas: Readonly<Record<string, unknown>>
}

const NO_PARAMETERS: readonly Parameter[] = []
const NO_CONTRACT = { request_schema: null }
const PLACE_OF = { path: 'path', query: 'query', header: 'headers', cookie: 'cookies' } as const

/**
 * How a contract says that a call is built.
 * @param find asked at most once, and only for a call with parameters or a body
 */
export function toldByContract(find: () => FoundContract | null): Told {
  let found: FoundContract | null | undefined
  const contract = (): FoundContract | null => {
    if (found === undefined) found = find()
    return found
  }
  const parameters = (): readonly Parameter[] => contract()?.contract.parameters ?? NO_PARAMETERS
  return {
    parameters,
    formOf: (place, name) => parameters().find((one) => isCalled(one, place, name)),
    bodyForm: (type, body) =>
      bodyFormOf(contract()?.contract ?? NO_CONTRACT, contract()?.schemas ?? {}, type, Array.isArray(body)),
  }
}

function isCalled(parameter: Parameter, place: Place, name: string): boolean {
  if (PLACE_OF[parameter.in] !== place) return false
  return place === 'headers' ? parameter.name.toLowerCase() === name.toLowerCase() : parameter.name === name
}
