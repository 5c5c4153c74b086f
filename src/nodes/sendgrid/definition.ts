import { mailNode } from '../mail.ts'

export const sendgridNode = mailNode('sendgrid_node', 'Mail by SendGrid')
