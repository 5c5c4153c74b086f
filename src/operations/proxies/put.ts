import { putOf } from '../crud.ts'
import { proxyKind } from './kind.ts'

export const putProxy = putOf(proxyKind)
