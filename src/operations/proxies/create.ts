import { createOf } from '../crud.ts'
import { proxyKind } from './kind.ts'

export const createProxy = createOf(proxyKind)
