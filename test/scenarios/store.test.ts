import { testScenarios } from './scenario-tests.ts';
import { STORE_AWAY_MS } from './scenarios.ts';
import { storeScenarios } from './store-scenarios.ts';

testScenarios(storeScenarios(STORE_AWAY_MS));
