// Every page, with a text that only it shows. A page that is not here is not tested.
export const PAGES = [
  { name: 'north-star', path: '/', text: 'Successful deployments per week', charts: 1 },
  { name: 'teams', path: '/teams', text: 'Storefront' },
  { name: 'team', path: '/teams/storefront', text: 'web-shop' },
  { name: 'delivery', path: '/teams/storefront/delivery', text: 'lead time', charts: 4 },
  { name: 'code', path: '/teams/storefront/code', text: 'time to merge', charts: 3 },
  { name: 'code-withheld', path: '/teams/tooling/code', text: 'fewer than' },
  { name: 'services', path: '/services', text: 'edge-gateway' },
  { name: 'service', path: '/services/checkout', text: 'checkout', charts: 1 },
  { name: 'service-month', path: '/services/checkout?timeline=28d', text: 'Killed pods', charts: 2 },
  { name: 'service-without-deployments', path: '/services/design-system', text: 'design-system' },
  { name: 'metric', path: '/metrics/lead-time?team=storefront', text: 'lead time', charts: 1 },
  { name: 'events', path: '/events', text: 'deployment' },
  { name: 'events-query', path: '/events?q=type%3Aservice.deployed+since%3A7d', text: 'service.deployed' },
  { name: 'events-nothing', path: '/events?q=type%3Anode.pressured', text: 'No event matches' },
  { name: 'events-evidence', path: '/events?metric=successful-deployments&team=storefront', text: 'behind' },
  { name: 'bots', path: '/bots', text: 'killed-pods' },
  { name: 'bot', path: '/bots/killed-pods', text: 'Toil saved' },
  { name: 'bot-dry-run', path: '/bots/reviewer-assignment', text: 'dry-run' },
  { name: 'bot-run', path: '/bots/killed-pods', follow: 'a[href*="/runs/"]', text: 'What it asked' },
  { name: 'bot-run-dry', path: '/bots/reviewer-assignment', follow: 'a[href*="/runs/"]', text: 'What it would do' },
  { name: 'subscriptions', path: '/subscriptions', text: 'Who hears which events' },
  { name: 'subscription', path: '/subscriptions/deploys', text: 'Dead letters' },
  { name: 'subscription-webhook', path: '/subscriptions/status-page', text: 'Attempts' },
  { name: 'attempt', path: '/subscriptions/status-page', follow: 'a[href*="/attempts/"]', text: 'webhook-id' },
  { name: 'sources', path: '/sources', text: 'silent' },
  { name: 'metric-docs', path: '/docs/metrics/lead-time', text: 'lead time' },
  { name: 'privacy', path: '/privacy', text: 'person' },
];

export const WIDTHS = [390, 1280];
export const SCHEMES = ['light', 'dark'];
