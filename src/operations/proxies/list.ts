import { listOf } from '../crud.ts'
import { proxyKind } from './kind.ts'

export const listProxies = listOf(proxyKind)
