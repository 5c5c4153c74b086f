import { updateOf } from '../crud.ts'
import { proxyKind } from './kind.ts'

export const updateProxy = updateOf(proxyKind)
