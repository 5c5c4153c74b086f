import { deleteOf } from '../crud.ts'
import { proxyKind } from './kind.ts'

export const deleteProxy = deleteOf(proxyKind)
