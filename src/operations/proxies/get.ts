import { getOf } from '../crud.ts'
import { proxyKind } from './kind.ts'

export const getProxy = getOf(proxyKind)
