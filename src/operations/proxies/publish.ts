import { publishOf } from '../publish.ts'
import { proxyKind } from './kind.ts'

export const publishProxy = publishOf(proxyKind)
