/**
 * The control secret of services in development mode that are given none, so that they find each other as they come. It is
 * public knowledge: a service outside development refuses to start without a secret of its own.
 */
export const DEVELOPMENT_CONTROL_SECRET = 'causeway-development-control-secret';
